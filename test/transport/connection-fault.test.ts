import { status } from '@grpc/grpc-js';
import { connectionFault } from '../../src/transport/connection-fault';

const readable = (details: string): string => connectionFault({ code: status.UNAVAILABLE, details }).reason;

const wrapped = (reason: string): string => `No connection established. Last error: ${reason}. Resolution note: `;

/** The causes that are met on a real connection are in why-no-talking.test.ts. */
describe('why a peer cannot be reached, out of the text of gRPC', () => {
  test.each([
    [wrapped('Error: connect ECONNREFUSED 127.0.0.1:7001 (2026-01-31T08:15:00.123Z)'), 'connection refused: nothing listens there'],
    [wrapped('connect ECONNREFUSED 127.0.0.1:7001'), 'connection refused: nothing listens there'],
    [wrapped('read EPIPE (again) (2026-01-31T08:15:00.123Z)'), 'read EPIPE (again)'],
    [wrapped('Failed to connect (2026-01-31T08:15:00.123Z)'), 'the connection is closed at once. Perhaps it speaks TLS only (give --tls-cert, --tls-key and --tls-ca), or no node runs behind it'],
    [wrapped('Error: 00D8:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../deps/x.c:1889:\n'), 'certificate verify failed'],
    [wrapped('error:0A00010B:SSL routines::wrong version number:ssl3_record.c:354:'), 'it does not speak TLS: a node without TLS, or another program. Check the address, or give no TLS files'],
    ['n2 is shutting down', 'n2 is shutting down'],
    ['', ''],
  ])('%j', (details, reason) => {
    expect(readable(details)).toBe(reason);
  });

  // Once these took seconds of a node's event loop. That none of its expressions can, ESLint sees to.
  test.each([
    `Last error: ${' '.repeat(14_000)}x`,
    'Last error: (2020-'.repeat(780),
    `Last error: ${'('.repeat(14_000)}Z). Resolution note`,
    wrapped(`Error: ${':SSL routines:'.repeat(1_000)}`),
  ])('a long text that was chosen by whoever listens there is cut off, whatever it is', (details) => {
    const reason = readable(details);
    expect(details).toContain(reason);
    expect(reason.length).toBeLessThanOrEqual(2_000);
  });
});
