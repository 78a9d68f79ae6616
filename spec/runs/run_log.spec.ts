import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { RunLog, type LogLine, readLog } from '../../src/runs/run_log';
import { temporaryFolder } from '../support/folders';

describe('RunLog', () => {
  const folder = temporaryFolder();

  it('writes a line at once and reads it back', async () => {
    const path = join(folder.path, 'log.jsonl');
    const log = await RunLog.open(path, 0);
    log.write(step(1));
    expect(await readFile(path, 'utf8')).to.equal(
      '{"kind":"step","step":1,"epoch":0,"loss":1,"learningRate":0.1,"tokensPerSecond":9}\n',
    );
    log.close();
  });

  it('forgets what came after the step that a run is resumed at, and a line that was never finished', async () => {
    const path = join(folder.path, 'log.jsonl');
    const first = await RunLog.open(path, 0);
    for (const number of [1, 2, 3, 4]) first.write(step(number));
    first.close();
    await appendFile(path, '{"kind":"st');
    const second = await RunLog.open(path, 2);
    second.write(step(3));
    second.close();
    expect((await readLog(path)).map((line) => line.step)).to.deep.equal([1, 2, 3]);
  });

  it('keeps the seconds of steps that a killed call lost', async () => {
    const path = join(folder.path, 'log.jsonl');
    const first = await RunLog.open(path, 0);
    for (const number of [1, 2, 3]) first.write({ ...step(number), seconds: number });
    first.close();
    const second = await RunLog.open(path, 2);
    expect(second.seconds).to.equal(3);
    second.write({ ...step(3), seconds: second.seconds + 1 });
    second.close();
    expect((await readLog(path)).map(({ seconds }) => seconds)).to.deep.equal([1, 2, 4]);
    const anew = await RunLog.open(path, 0); // killed before a checkpoint
    expect(anew.seconds).to.equal(4);
    anew.close();
  });

  it('starts anew where a run does', async () => {
    const path = join(folder.path, 'log.jsonl');
    const first = await RunLog.open(path, 0);
    first.write(step(1));
    first.close();
    (await RunLog.open(path, 0)).close();
    expect(await readLog(path)).to.deep.equal([]);
  });
});

function step(number: number): LogLine {
  return { kind: 'step', step: number, epoch: 0, loss: 1, learningRate: 0.1, tokensPerSecond: 9 };
}
