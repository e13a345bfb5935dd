// `npm run schemas`: writes src/client-protocol/schemas.ts from the .proto files, so that the program reads none of them while
// it runs, and works when a bundler has made one file of it. A test compares both.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor/index.js';

const directory = join(fileURLToPath(import.meta.url), '../..');
const target = join(directory, 'src/client-protocol/schemas.ts');

/** The standard services are those of gRPC's own packages. */
const sources = [
  ['locksSchema', 'proto/maekawa/v1/locks.proto'],
  ['healthSchema', 'node_modules/grpc-health-check/proto/health/v1/health.proto'],
  ['reflectionSchema', 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto'],
];

/** One line for each message, method and value, so that a change is seen in review. */
function format(value, indent = '') {
  const line = JSON.stringify(value);
  if (typeof value !== 'object' || Array.isArray(value) || (line.length < 100 && !line.includes('"nested"'))) return line;
  const further = `${indent}  `;
  const entries = Object.entries(value).map(([key, each]) => `${further}${JSON.stringify(key)}: ${format(each, further)},\n`);
  return `{\n${entries.join('')}${indent}}`;
}

function schema([name, path]) {
  // Fields keep the names that they have in the file, for reflection tells them to others.
  const parsed = protobuf.parse(readFileSync(join(directory, path), 'utf8'), new protobuf.Root(), { keepCase: true });
  const json = parsed.root.toJSON();
  return `/** ${path.replace('node_modules/', '')} */\nexport const ${name} = ${format(json)};\n`;
}

/** As reflection tells it. No `map` may be in it: protobufjs gives the entries of a map a name that other languages refuse, and with it the whole file. */
function descriptor([, path]) {
  const { root } = protobuf.parse(readFileSync(join(directory, path), 'utf8'), new protobuf.Root(), { keepCase: true });
  root.resolveAll();
  const [file] = root.toDescriptor('proto3').file;
  return `/** The same as an encoded FileDescriptorProto. */\nexport const locksDescriptor = '${Buffer.from(file.constructor.encode(file).finish()).toString('base64')}';\n`;
}

const text = `// Written by \`npm run schemas\` from the .proto files. Change those, and run it again.

${sources.map(schema).join('\n')}
${descriptor(sources[0])}`;

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('src/client-protocol/schemas.ts is not what the .proto files say: run `npm run schemas`, and commit what it wrote');
    process.exit(1);
  }
} else writeFileSync(target, text);
