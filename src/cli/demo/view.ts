/** How the demo shows what happens: a line each, or on a terminal a picture that stays in place. */
import type { NodeId } from '../../core';
import { visible } from '../../visible';
import { draw, printText } from '../print';
import type { WorkloadLine } from '../workload';

export interface DemoView {
  /** Something that the demo did or found. */
  say(text: string): void;
  /** A line came into the shared file. */
  happened(line: WorkloadLine): void;
  down(node: NodeId): void;
  up(node: NodeId): void;
  /** Nothing is drawn any more. */
  end(): void;
}

export function createView(nodes: readonly NodeId[], startedAtMs: number): DemoView {
  return process.stdout.isTTY ? new TerminalView(nodes, startedAtMs) : new PlainView(startedAtMs);
}

function seconds(startedAtMs: number): string {
  return `${((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(5)} s`;
}

class PlainView implements DemoView {
  constructor(private readonly startedAtMs: number) {}

  say(text: string): void {
    printText(`${seconds(this.startedAtMs)}  ${visible(text)}`);
  }

  happened({ event, node, token }: WorkloadLine): void {
    if (event === 'enter') this.say(`  ${node} holds the lock, token ${token}`);
  }

  down(): void {
    // Said in words already.
  }

  up(): void {
    // Said in words already.
  }

  end(): void {
    // Nothing to clean up.
  }
}

const BAR_WIDTH = 40;
const NEWS_LINES = 6;

class TerminalView implements DemoView {
  private readonly entries: Map<NodeId, number>;
  private readonly downNodes = new Set<NodeId>();
  private holder: WorkloadLine | null = null;
  private news: string[] = [];
  private drawnLines = 0;

  constructor(
    nodes: readonly NodeId[],
    private readonly startedAtMs: number,
  ) {
    this.entries = new Map(nodes.map((node) => [node, 0]));
    draw('\x1b[?25l');
    this.draw();
  }

  say(text: string): void {
    this.news = [...this.news, `${seconds(this.startedAtMs)}  ${visible(text)}`].slice(-NEWS_LINES);
    this.draw();
  }

  happened(line: WorkloadLine): void {
    if (line.event === 'enter') {
      this.entries.set(line.node, (this.entries.get(line.node) ?? 0) + 1);
      this.holder = line;
    } else if (this.holder?.token === line.token) {
      this.holder = null;
    }
    this.draw();
  }

  down(node: NodeId): void {
    this.downNodes.add(node);
    this.draw();
  }

  up(node: NodeId): void {
    this.downNodes.delete(node);
    this.draw();
  }

  end(): void {
    draw('\x1b[?25h');
  }

  private draw(): void {
    const most = Math.max(1, ...this.entries.values());
    const width = Math.max(...[...this.entries.keys()].map((node) => node.length));
    const lines = [...this.entries].map(([node, count]) => {
      const bar = '█'.repeat(Math.round((count / most) * BAR_WIDTH)).padEnd(BAR_WIDTH, '·');
      return `  ${node.padEnd(width)}  ${bar} ${String(count).padStart(4)}  ${this.stateOf(node)}`;
    });
    const picture = ['', ...lines, '', ...this.news];
    draw(`${this.drawnLines > 0 ? `\x1b[${this.drawnLines}A` : ''}${picture.map((line) => `\x1b[2K${line}`).join('\n')}\n`);
    this.drawnLines = picture.length;
  }

  private stateOf(node: NodeId): string {
    if (this.downNodes.has(node)) return '\x1b[31mkilled\x1b[0m';
    return this.holder?.node === node ? `\x1b[32mholds the lock\x1b[0m, token ${this.holder.token}` : '';
  }
}
