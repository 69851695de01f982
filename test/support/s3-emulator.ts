// An S3 emulator as a program: `node s3-emulator.ts <port> <folder> <bucket>`. Ends when its standard input does.

import { startFauxqs } from 'fauxqs';

const [port, folder, bucket] = process.argv.slice(2);
if (port === undefined || folder === undefined || bucket === undefined)
  throw new Error('port, folder, bucket');

process.stdin.resume().on('end', () => process.exit(0));
await startFauxqs({
  port: Number(port),
  host: '127.0.0.1',
  logger: false,
  s3StorageDir: folder,
  init: { buckets: [bucket] },
});
console.log('ready');
