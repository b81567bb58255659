// sharp's side of `make compare-sharp`: draws the sources, makes its results, and measures both. The working directory holds
// node_modules. Arguments: the folder of the photos, and the folder to write into.
//
// Writes a line of JSON for each case, and then answers each line, two paths, with how they differ. Both are decoded by
// sharp; colours count by their opacity.
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

import { GROUPS } from './cases.mjs';

const sharp = createRequire(`${process.cwd()}/`)('sharp');
const [photos, folder] = process.argv.slice(2);
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const drawn = (name) => path.join(folder, 'sources', name);

/** Sources that are small, so that nothing but the step is seen. */
async function draw() {
  const small = await sharp(path.join(photos, 'spaniels.jpg')).rotate().resize(400).removeAlpha().png().toBuffer();
  await sharp(small).toFile(drawn('spaniels-400.png'));
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = sharp(small).jpeg({ quality: 98, chromaSubsampling: '4:4:4' }).withMetadata({ orientation });
    await turned.toFile(drawn(`turned-${orientation}.jpg`));
  }
  await sharp(small).linear(0.4, 90).png().toFile(drawn('pale.png'));
  const border = { top: 40, right: 25, bottom: 10, left: 60, background: '#d0d8e0' };
  await sharp(small).extend(border).png().toFile(drawn('framed.png'));
  await sharp(path.join(photos, 'logo.png')).resize(120).ensureAlpha().png().toFile(drawn('mark.png'));
}

const DRAWN = /^(spaniels-400|turned-\d|pale|framed|mark)\./;
const source = (name) => (DRAWN.test(name) ? drawn(name) : path.join(photos, name));

async function make(number, group, { name, source: from, overlay, ours, theirs, format = 'png', differs }) {
  const file = path.join(folder, 'sharp', `${number}.${format}`);
  const made = theirs(sharp(source(from)), overlay && source(overlay));
  await (format === 'png' ? made.png() : made).toFile(file);
  say({
    group, name, differs, format, file,
    source: source(from),
    overlay: overlay && source(overlay),
    steps: format === 'png' && ours.at(-1)[0] !== 'png' ? [...ours, ['png']] : ours,
  });
}

/** Samples of 0 to 255, four for each pixel, colours times opacity. */
async function pixels(file) {
  const { data, info } = await sharp(file)
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  for (let at = 0; at < data.length; at += 4) {
    for (let channel = 0; channel < 3; channel++) data[at + channel] *= data[at + 3] / 255;
  }
  return { data, width: info.width, height: info.height };
}

/** Mean structural similarity (Wang, 2004) of the luma, by squares of 8 pixels. */
function ssim(ours, theirs) {
  const luma = ({ data }, at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  let [sum, count] = [0, 0];
  const side = Math.min(8, ours.width, ours.height);
  for (let top = 0; top + side <= ours.height; top += 4) {
    for (let left = 0; left + side <= ours.width; left += 4) {
      let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
      for (let y = top; y < top + side; y++) {
        for (let x = left; x < left + side; x++) {
          const at = 4 * (y * ours.width + x);
          const [p, q] = [luma(ours, at), luma(theirs, at)];
          a += p; b += q; aa += p * p; bb += q * q; ab += p * q;
        }
      }
      const n = side * side;
      const [meanA, meanB] = [a / n, b / n];
      const [varA, varB, both] = [aa / n - meanA ** 2, bb / n - meanB ** 2, ab / n - meanA * meanB];
      const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
      sum += ((2 * meanA * meanB + c1) * (2 * both + c2)) / ((meanA ** 2 + meanB ** 2 + c1) * (varA + varB + c2));
      count++;
    }
  }
  return sum / count;
}

async function measure([ourFile, theirFile]) {
  const [ours, theirs] = [await pixels(ourFile), await pixels(theirFile)];
  const size = ({ width, height }) => [width, height];
  const sizes = { ours: size(ours), theirs: size(theirs) };
  if (ours.width !== theirs.width || ours.height !== theirs.height) return sizes;
  let sum = 0;
  for (let at = 0; at < ours.data.length; at++) sum += Math.abs(ours.data[at] - theirs.data[at]);
  return { ...sizes, mean: sum / ours.data.length, ssim: ssim(ours, theirs) };
}

await draw();
say(`sharp ${sharp.versions.sharp} (libvips ${sharp.versions.vips})`);
let number = 0;
for (const [group, cases] of Object.entries(GROUPS)) {
  for (const one of cases) await make(number++, group, one);
}
say(null);
for await (const line of readline.createInterface({ input: process.stdin })) say(await measure(JSON.parse(line)));
