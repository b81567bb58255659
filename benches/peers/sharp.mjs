// sharp as a worker of the image benchmark (the protocol: child.rs). The working directory holds node_modules.
//
// Without arguments every width is a pipeline of its own from the compressed bytes, which is what sharp's users
// write. With `--shared` the file is decoded once, to the largest width, and the other widths are resized from
// those pixels: the reuse that sharp leaves to the caller.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const sharp = createRequire(`${process.cwd()}/`)('sharp');
sharp.concurrency(1);
sharp.cache(false);

const encoded = (made, { format, quality }) =>
  format === 'png' ? made.png() : format === 'webp' ? made.webp({ quality }) : made.jpeg({ quality });

const credit = { text: '<span foreground="white">\u00a9 Ada</span>', font: 'Noto Sans 28', fontfile: process.env.FONT, rgba: true };

// Saturation of a fifth and contrast of a tenth more, and a line of text.
const chained = (small) =>
  small.modulate({ saturation: 1.2 }).linear(1.1, -12.8).composite([{ input: { text: credit }, gravity: 'southeast' }]);

async function separate(input, request) {
  const files = [];
  for (const width of request.widths) {
    // Photos are turned as they are meant to be seen, which mediaflow does as well.
    const small = sharp(input).rotate().resize(width);
    files.push(await encoded(request.task === 'chain' ? chained(small) : small, request).toBuffer());
  }
  return files;
}

async function shared(input, { widths, quality }) {
  const { data, info: raw } = await sharp(input)
    .resize(Math.max(...widths))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const files = [];
  for (const width of widths) files.push(await sharp(data, { raw }).resize(width).jpeg({ quality }).toBuffer());
  return files;
}

// From files to files, which is what sharp has for jobs: two at the same time, if there are so many.
async function jobs(request) {
  const waiting = request.inputs.entries();
  const work = async () => {
    for (const [input, path] of waiting) {
      for (const width of request.widths) {
        const small = sharp(path).rotate().resize(width).jpeg({ quality: request.quality });
        await small.toFile(file(request, input, width));
      }
    }
  };
  await Promise.all([work(), work()]);
}

const file = ({ out, format }, input, width) => path.join(out, `${input}-${width}.${format}`);

const render = process.argv.includes('--shared') ? shared : separate;

const status = (field) =>
  Number(fs.readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'))[1]);

async function serve(request) {
  const whole = request.task === 'many' || request.task.endsWith('-job');
  const inputs = whole ? request.inputs : request.inputs.map((input) => fs.readFileSync(input));
  fs.writeFileSync('/proc/self/clear_refs', '5'); // VmHWM starts again from the present size
  const before = status('VmRSS');
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  let outputs;
  for (let run = 0; run < request.repeat; run++) {
    if (whole) await jobs(request);
    else {
      outputs = [];
      for (const input of inputs) outputs.push(...(await render(input, request)));
    }
  }
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = Number(process.hrtime.bigint() - wall);
  const peak = Math.max(0, status('VmHWM') - before); // the kernel counts in batches
  const files = inputs.flatMap((_, input) => request.widths.map((width) => file(request, input, width)));
  if (!whole) outputs.forEach((bytes, index) => fs.writeFileSync(files[index], bytes));
  return {
    cpu_ms: (user + system) / 1e3 / request.repeat,
    wall_ms: elapsed / 1e6 / request.repeat,
    peak_kb: peak,
    threads: status('Threads'),
    files,
  };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const { sharp: version, vips } = sharp.versions;
say({ version: `sharp ${version} (libvips ${vips})` });
for await (const line of readline.createInterface({ input: process.stdin })) say(await serve(JSON.parse(line)));
