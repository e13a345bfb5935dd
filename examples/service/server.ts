/** HTTP in front of the accounts: what each error of a lock means to who calls. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { LockError } from 'maekawa';
import type { MaekawaNode } from 'maekawa';
import type { Accounts } from './accounts';

/** `POST /accounts/NAME?add=AMOUNT`; `GET /ready` for load balancers and deploys: whether a lock can be had here, and the node lends its vote. */
export function createService(node: MaekawaNode, accounts: Accounts): Server {
  return createServer((request, response) => {
    answer(node, accounts, request).then(
      ([code, body]) => reply(response, code, body),
      (error: unknown) => reply(response, ...meaningOf(error)),
    );
  });
}

type Reply = readonly [code: number, body: object];

async function answer(node: MaekawaNode, accounts: Accounts, request: IncomingMessage): Promise<Reply> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://service');
  if (pathname === '/ready') return readiness(node);
  const account = /^\/accounts\/(\w{1,40})$/.exec(pathname)?.[1];
  const amount = Number(searchParams.get('add'));
  if (request.method !== 'POST' || account === undefined || !Number.isSafeInteger(amount)) return [404, { error: 'POST /accounts/NAME?add=AMOUNT' }];
  return [200, { account, balance: await accounts.add(account, amount) }];
}

/** A process that is stopping, is silent after its restart, or reaches no quorum, wants no more requests; it says which. */
function readiness(node: MaekawaNode): Reply {
  const { kind, text } = node.status().state;
  return [kind === 'ready' ? 200 : 503, { ready: kind === 'ready', why: text }];
}

function meaningOf(error: unknown): Reply {
  if (!(error instanceof LockError)) return [500, { error: String(error) }];
  switch (error.code) {
    case 'timeout': // somebody else is busy with it
    case 'no-quorum': // too few nodes
    case 'closed': // we are stopping
    case 'fenced': // we lost the lock, and nothing was written
      return [503, { error: error.message, retry: true }];
    default: // `lost` and `stolen`: it may have been written, so whoever repeats it must look first
      return [500, { error: error.message, retry: false }];
  }
}

function reply(response: ServerResponse, code: number, body: object): void {
  if (code === 503) response.setHeader('retry-after', '1');
  response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
