import { Option } from 'commander';
import { BACKENDS, type BackendName } from '../backends/backend_table_node';
import { useBackend } from '../backends/use_backend_node';
import { remark } from './output';

/** `--backend`, the same for every verb. */
export function backendOption(description = 'where to compute'): Option {
  return new Option('--backend <backend>', description).choices(['auto', ...Object.keys(BACKENDS)]).default('auto');
}

/** Sets the backend and says which one it is. */
export async function startBackend(backend: string): Promise<void> {
  const used = await useBackend(backend as BackendName | 'auto', {
    onSkip: (reason) => remark(`skipped a backend: ${reason}`),
  });
  remark(`backend: ${used}`);
}
