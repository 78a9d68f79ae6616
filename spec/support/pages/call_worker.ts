import type { Answer, Call } from './scenario';

/** Sends a call to a worker and ends it with its answer. */
export async function callWorker(worker: Worker, call: Call): Promise<Answer[]> {
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<{ answers?: Answer[]; error?: string }>) =>
        data.answers === undefined ? reject(new Error(data.error)) : resolve(data.answers);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(call);
    });
  } finally {
    worker.terminate();
  }
}

/** The worker's side. */
export function answerCalls(play: (call: Call) => Promise<Answer[]>): void {
  self.onmessage = ({ data }: MessageEvent<Call>) => {
    play(data).then(
      (answers) => self.postMessage({ answers }),
      (error: unknown) => self.postMessage({ error: String(error) }),
    );
  };
}
