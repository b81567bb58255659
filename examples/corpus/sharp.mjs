// For each line, a file as JSON, one line: null if sharp makes a thumbnail of it, else why not. The working directory
// holds node_modules.
import { createRequire } from 'node:module';
import readline from 'node:readline';

const sharp = createRequire(`${process.cwd()}/`)('sharp');
sharp.concurrency(1);
sharp.cache(false);

async function trial(file) {
  try {
    await sharp(file).resize(300, 300, { fit: 'inside' }).jpeg({ quality: 80 }).toBuffer();
    return null;
  } catch (error) {
    return String(error.message).split('\n')[0];
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await trial(JSON.parse(line)))}\n`);
}
