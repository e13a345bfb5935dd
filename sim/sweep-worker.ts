/** One thread of a sweep: runs the chunks that it is sent. */
import { parentPort } from 'node:worker_threads';
import { runChunk } from './sweep';
import type { Chunk } from './sweep';

parentPort?.on('message', (chunk: Chunk) => parentPort?.postMessage(runChunk(chunk)));
