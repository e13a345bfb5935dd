/** `npm run sim:explore`. Law: the exit code says how it ended. */
import { endUnlessWritten } from '../../src/standard-output';
import { run } from './cli';

endUnlessWritten();
process.exitCode = run(process.argv.slice(2));
