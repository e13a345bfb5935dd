/** `npm run sim:explore`. Law: the exit code says how it ended. */
import { run } from './cli';

process.exitCode = run(process.argv.slice(2));
