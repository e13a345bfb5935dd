/** A clock that all processes of this machine read alike: a worker says when it entered, another process when the holder died. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
