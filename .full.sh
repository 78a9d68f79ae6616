cd /work/main; (time timeout 900 npx tsx .smoke.ts full) > /tmp/t/full.log 2>&1
