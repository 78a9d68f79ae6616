import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median, MIN_RUNS, quantile, timeOf, type Paired } from './harness';

const PYTHON = process.env.PYTHON ?? 'python3';

/** What PyTorch was asked for, timed inside Python. */
export interface PythonTime {
  readonly ms: number;
  readonly loss: number;
}

/** One forward and backward pass in PyTorch. */
export interface PythonStep extends PythonTime {
  /** Norm of the gradient of each hidden tensor, the final layer's first. */
  readonly gradNorms: readonly number[];
}

/** A program of bench/pytorch in a process of its own: one line of JSON there, one back. */
export class PythonServer {
  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string>,
    private readonly errors: () => string,
    readonly torchVersion: string,
  ) {}

  /** Starts it; null, and the reason on stderr, where there is no Python or no PyTorch. */
  static async start(name: string, script = 'ilrec_loss.py'): Promise<PythonServer | null> {
    const child = spawn(PYTHON, [fileURLToPath(new URL(`pytorch/${script}`, import.meta.url))]);
    let errors = '';
    child.stderr.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-4000)));
    const started = await once(child, 'spawn').then(
      () => true,
      (error: Error) => ((errors = error.message), false),
    );
    child.on('error', () => undefined); // a killed server shows as the end of its lines
    child.stdin.on('error', () => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const hello = started ? ((await nextLine(lines)) as { ready?: string; missing?: string } | null) : null;
    if (hello?.ready !== undefined) return new PythonServer(child, lines, () => errors, hello.ready);
    console.error(
      `bench: ${name} skips PyTorch, as ${PYTHON} must import torch, got "${hello?.missing ?? errors.trim()}"; set PYTHON to a Python that has it`,
    );
    return null;
  }

  async request<T>(command: { op: string } & Record<string, unknown>): Promise<T> {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    const answer = (await nextLine(this.lines)) as (T & { error?: string }) | null;
    if (answer === null) {
      if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
      throw new Error(
        `PythonServer.request: ${command.op} must be answered, got the end of the process (${this.child.signalCode ?? this.child.exitCode}): ${this.errors().trim()}`,
      );
    }
    if (answer.error !== undefined) throw new Error(`PythonServer.request: ${answer.error}`);
    return answer;
  }

  /** It ends when its input does. */
  async stop(): Promise<void> {
    const closed = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'close') : null;
    this.child.stdin.end();
    await closed;
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<unknown> {
  const { value, done } = await lines.next();
  return done === true ? null : JSON.parse(value);
}

/**
 * Threads that both sides have: TensorFlow takes every core that it may run on, the other backends what BENCH_THREADS
 * says.
 */
export function threadsOf(backend: string): number {
  return backend === 'node' ? availableParallelism() : Number(process.env.BENCH_THREADS ?? 1);
}

/** As `paired`, with PyTorch's time taken inside Python and the ratio the other way round: PyTorch's time / ours. */
export async function pairedWithPython(
  ours: () => unknown,
  python: () => Promise<PythonTime>,
  { runs = MIN_RUNS, warmups = 2 }: { runs?: number; warmups?: number } = {},
): Promise<Paired> {
  const times: [number, number][] = [];
  for (let i = -warmups; i < runs; i++) {
    const pair: [number, number] = [await timeOf(ours), (await python()).ms];
    if (i >= 0) times.push(pair);
  }
  const ratios = times.map(([mine, theirs]) => theirs / mine);
  return {
    ours: median(times.map(([mine]) => mine)),
    other: median(times.map(([, theirs]) => theirs)),
    ratio: median(ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

/** Relative difference of two numbers that must be the same. */
export function agreement(what: string, ours: number, theirs: number, bound = 1e-3): number {
  const difference = Math.abs(ours - theirs) / Math.max(Math.abs(theirs), 1e-12);
  if (!(difference <= bound)) throw new Error(`bench: ${what} must agree within ${bound}, got ${ours} and ${theirs}`);
  return difference;
}
