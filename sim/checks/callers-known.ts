/** callers-known: only callers that wait are let in, only callers inside lose or renew, and nobody sends to itself or to a stranger. */
import { assertNever } from '../../src/core';
import { violated } from './check';
import type { Scene } from './scene';
import type { Stray, Witness } from './witness';

export class CallersKnown implements Witness {
  constructor(private readonly scene: Scene) {}

  strayed(machine: number, stray: Stray): void {
    const node = this.scene.nodeIds[machine];
    switch (stray.kind) {
      case 'send':
        return violated('callers-known', `${node} sends to ${stray.to}`);
      case 'entered':
        return violated('callers-known', `${node} lets in caller ${stray.caller} of lock ${stray.lock}, which does not wait`);
      case 'renewed':
        return violated('callers-known', `${node} renews caller ${stray.caller}, which is not inside`);
      case 'lost':
        return violated('callers-known', `caller ${stray.caller} of ${node} loses a lock that it does not hold`);
      case 'told in the wrong way':
        return violated('callers-known', `caller ${stray.caller} of ${node} is told of its loss in the wrong way`);
      default:
        return assertNever(stray);
    }
  }
}
