// What both make of the same pictures. `ours` are the steps of a spec, each with its parameters; `theirs` is what a user of
// sharp writes. A reason beside a case says why the results differ; the run fails if they differ without one.

const FITS = ['cover', 'contain', 'fill', 'inside', 'outside'];
const PLACES = ['north', 'northeast', 'east', 'southeast', 'south', 'southwest', 'west', 'northwest', 'center'];
const KERNELS = { nearest: 'nearest', catmull_rom: 'cubic', mitchell: 'mitchell', lanczos3: 'lanczos3' };
const BLENDS = {
  normal: 'over', multiply: 'multiply', screen: 'screen', overlay: 'overlay', darken: 'darken', lighten: 'lighten',
  color_dodge: 'colour-dodge', color_burn: 'colour-burn', hard_light: 'hard-light', soft_light: 'soft-light',
  difference: 'difference', exclusion: 'exclusion',
};
// Why results differ. What is said of an independent reference was measured: Pillow's Lanczos, and the formulas themselves.
const LARGER = "enlarged: mediaflow is within 0.2 of Pillow's Lanczos, libvips interpolates otherwise";
const NEAREST = 'which of two pixels is the nearest: mediaflow counts from their middles';
const TURNED = 'mediaflow is within 0.2 of bilinear interpolation around the middle; no corner is cut off';
const TONES = 'mediaflow stretches all three colours alike, by luma, as Pillow with `preserve_tone`; sharp stretches lightness';
const CLEAR = '#00000000';

/** Sharp's words for a place. */
const place = (name) => (name === 'center' ? 'centre' : name);

const resize = [
  ...FITS.flatMap((fit) =>
    [['mountains.jpg', 'wide'], ['fig.jpg', 'photo'], ['logo.png', 'with alpha']].map(([source, kind]) => ({
      name: `${fit} into 320 x 200, ${kind}`,
      source,
      ours: [['resize', { width: 320, height: 200, fit, ...(fit === 'contain' ? { background: '#204060' } : {}) }]],
      theirs: (s) => s.resize(320, 200, { fit, background: '#204060' }),
      ...(kind === 'with alpha' && ['cover', 'fill', 'outside'].includes(fit) ? { differs: LARGER } : {}),
    })),
  ),
  ...['width', 'height'].map((side) => ({
    name: `one side: ${side} 240`,
    source: 'dandelions.jpg',
    ours: [['resize', { [side]: 240 }]],
    theirs: (s) => s.resize({ [side]: 240 }),
  })),
  ...PLACES.flatMap((gravity) => [
    {
      name: `cover, ${gravity}, a tall box`,
      source: 'mountains.jpg',
      ours: [['resize', { width: 120, height: 300, fit: 'cover', gravity }]],
      theirs: (s) => s.resize(120, 300, { fit: 'cover', position: place(gravity) }),
    },
    {
      name: `contain, ${gravity}`,
      source: 'logo.png',
      ours: [['resize', { width: 300, height: 500, fit: 'contain', gravity, background: 'white' }]],
      theirs: (s) => s.resize(300, 500, { fit: 'contain', position: place(gravity), background: 'white' }),
    },
  ]),
  ...['attention', 'entropy'].flatMap((gravity) =>
    ['spaniels.jpg', 'dandelions.jpg', 'fig.jpg'].map((source) => ({
      name: `cover, ${gravity}, ${source}`,
      source,
      ours: [['resize', { width: 200, height: 200, fit: 'cover', gravity }]],
      theirs: (s) => s.rotate().resize(200, 200, { fit: 'cover', position: gravity }),
      ...(gravity === 'entropy' && source === 'fig.jpg'
        ? { differs: 'what is cut off on both sides is nearly alike, and the last bits of a smaller decode decide' }
        : {}),
    })),
  ),
  ...Object.entries(KERNELS).flatMap(([kernel, theirs]) => [
    {
      name: `smaller, ${kernel}`,
      source: 'spaniels-400.png',
      ours: [['resize', { width: 150, kernel }]],
      theirs: (s) => s.resize(150, null, { kernel: theirs }),
      ...(kernel === 'nearest' ? { differs: NEAREST } : {}),
    },
    {
      name: `larger, ${kernel}`,
      source: 'spaniels-400.png',
      ours: [['resize', { width: 700, kernel }]],
      theirs: (s) => s.resize(700, null, { kernel: theirs }),
      ...({ nearest: { differs: NEAREST }, lanczos3: { differs: LARGER } }[kernel] ?? {}),
    },
  ]),
  {
    name: 'not enlarged',
    source: 'spaniels-400.png',
    ours: [['resize', { width: 900, without_enlargement: true }]],
    theirs: (s) => s.resize({ width: 900, withoutEnlargement: true }),
  },
  {
    name: 'to one pixel',
    source: 'spaniels-400.png',
    ours: [['resize', { width: 1, height: 1, fit: 'fill' }]],
    theirs: (s) => s.resize(1, 1, { fit: 'fill' }),
  },
  {
    name: 'in linear light',
    source: 'spaniels-400.png',
    ours: [['resize', { width: 200, linear: true }]],
    theirs: (s) => s.gamma(2.2).resize(200),
  },
];

const place_and_turn = [
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => ({
    name: `auto_orient of orientation ${orientation}`,
    source: `turned-${orientation}.jpg`,
    ours: [['auto_orient']],
    theirs: (s) => s.rotate(),
  })),
  ...[90, 180, 270].map((angle) => ({
    name: `rotate ${angle}`,
    source: 'spaniels-400.png',
    ours: [['rotate', { angle }]],
    theirs: (s) => s.rotate(angle),
  })),
  ...[30, -45].map((angle) => ({
    name: `rotate ${angle}`,
    source: 'spaniels-400.png',
    ours: [['rotate', { angle, background: 'white' }]],
    theirs: (s) => s.rotate(angle, { background: 'white' }),
    differs: TURNED,
  })),
  { name: 'flip', source: 'spaniels-400.png', ours: [['flip']], theirs: (s) => s.flip() },
  { name: 'flop', source: 'spaniels-400.png', ours: [['flop']], theirs: (s) => s.flop() },
  {
    name: 'crop',
    source: 'spaniels-400.png',
    ours: [['crop', { left: 31, top: 17, width: 200, height: 111 }]],
    theirs: (s) => s.extract({ left: 31, top: 17, width: 200, height: 111 }),
  },
  {
    name: 'crop, then resize',
    source: 'mountains.jpg',
    ours: [['crop', { left: 1001, top: 703, width: 1500, height: 1100 }], ['resize', { width: 300 }]],
    theirs: (s) => s.extract({ left: 1001, top: 703, width: 1500, height: 1100 }).resize(300),
  },
  {
    name: 'resize, then crop',
    source: 'mountains.jpg',
    ours: [['resize', { width: 500 }], ['crop', { left: 11, top: 13, width: 300, height: 200 }]],
    theirs: (s) => s.resize(500).extract({ left: 11, top: 13, width: 300, height: 200 }),
  },
  ...['copy', 'repeat', 'mirror'].map((mode) => ({
    name: `extend, ${mode}`,
    source: 'spaniels-400.png',
    ours: [['extend', { top: 20, right: 35, bottom: 50, left: 65, mode }]],
    theirs: (s) => s.extend({ top: 20, right: 35, bottom: 50, left: 65, extendWith: mode }),
  })),
  ...['#ff8000', '#ff800080'].map((background) => ({
    name: `extend with ${background}`,
    source: 'logo.png',
    ours: [['extend', { top: 20, right: 35, bottom: 50, left: 65, background }]],
    theirs: (s) => s.extend({ top: 20, right: 35, bottom: 50, left: 65, background }),
  })),
  ...['framed.png', 'logo.png'].map((source) => ({
    name: `trim_borders of ${source}`,
    source,
    ours: [['trim_borders']],
    theirs: (s) => s.trim(),
  })),
  {
    name: 'flatten',
    source: 'logo.png',
    ours: [['flatten', { background: '#f0e0d0' }]],
    theirs: (s) => s.flatten({ background: '#f0e0d0' }),
  },
];

const colours = [
  { name: 'grayscale', source: 'spaniels-400.png', ours: [['grayscale']], theirs: (s) => s.grayscale() },
  { name: 'negate', source: 'spaniels-400.png', ours: [['negate']], theirs: (s) => s.negate() },
  { name: 'negate with alpha', source: 'logo.png', ours: [['negate']], theirs: (s) => s.negate({ alpha: false }) },
  ...[0.5, 1.5].map((amount) => ({
    name: `brightness ${amount}`,
    source: 'spaniels-400.png',
    ours: [['brightness', { amount }]],
    theirs: (s) => s.linear(amount, 0),
  })),
  ...[0.5, 1.5].map((amount) => ({
    name: `contrast ${amount}`,
    source: 'spaniels-400.png',
    ours: [['contrast', { amount }]],
    theirs: (s) => s.linear(amount, 127.5 * (1 - amount)),
  })),
  ...[0, 0.5, 1.5].map((amount) => ({
    name: `saturation ${amount}`,
    source: 'spaniels-400.png',
    ours: [['saturation', { amount }]],
    theirs: (s) => s.modulate({ saturation: amount }),
  })),
  ...[90, 180].map((angle) => ({
    name: `hue ${angle}`,
    source: 'spaniels-400.png',
    ours: [['hue', { angle }]],
    theirs: (s) => s.modulate({ hue: angle }),
  })),
  {
    name: 'sepia',
    source: 'spaniels-400.png',
    ours: [['sepia']],
    theirs: (s) => s.recomb([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]),
  },
  ...['#4060c0', '#c08040'].map((color) => ({
    name: `tint ${color}`,
    source: 'spaniels-400.png',
    ours: [['tint', { color }]],
    theirs: (s) => s.tint(color),
  })),
  ...[64, 128, 192].map((value) => ({
    name: `threshold ${value}`,
    source: 'spaniels-400.png',
    ours: [['threshold', { value }]],
    theirs: (s) => s.threshold(value),
  })),
  ...[[1, 99], [5, 95]].map(([lower, upper]) => ({
    name: `normalize ${lower} to ${upper}`,
    source: 'pale.png',
    ours: [['normalize', { lower, upper }]],
    theirs: (s) => s.normalise({ lower, upper }),
    differs: TONES,
  })),
];

const neighbours = [
  ...[1, 3, 10].map((sigma) => ({
    name: `blur ${sigma}`,
    source: 'spaniels-400.png',
    ours: [['blur', { sigma }]],
    theirs: (s) => s.blur({ sigma, precision: 'float' }),
  })),
  {
    name: 'blur with alpha',
    source: 'logo.png',
    ours: [['blur', { sigma: 4 }]],
    theirs: (s) => s.blur({ sigma: 4, precision: 'float' }),
    differs: "mediaflow is within 0.2 of the exact Gaussian of colours times alpha, sharp's result is 1.7 away",
  },
  ...[1, 2].map((sigma) => ({
    name: `sharpen ${sigma}`,
    source: 'spaniels-400.png',
    ours: [['sharpen', { sigma, amount: 1 }]],
    theirs: (s) => s.sharpen({ sigma, m1: 1, m2: 1, x1: 0, y2: 100, y3: 100 }),
  })),
  ...[3, 5, 9].map((size) => ({
    name: `median ${size}`,
    source: 'spaniels-400.png',
    ours: [['median', { size }]],
    theirs: (s) => s.median(size),
  })),
];

const layers = [
  ...Object.entries(BLENDS).map(([blend, theirs]) => ({
    name: `watermark, ${blend}`,
    source: 'spaniels-400.png',
    overlay: 'mark.png',
    ours: [['watermark', { gravity: 'center', blend }]],
    theirs: (s, overlay) => s.composite([{ input: overlay, gravity: 'centre', blend: theirs }]),
  })),
  ...PLACES.map((gravity) => ({
    name: `watermark at ${gravity}`,
    source: 'spaniels-400.png',
    overlay: 'mark.png',
    ours: [['watermark', { gravity }]],
    theirs: (s, overlay) => s.composite([{ input: overlay, gravity: place(gravity) }]),
  })),
  {
    name: 'watermark, tiled',
    source: 'spaniels-400.png',
    overlay: 'mark.png',
    ours: [['watermark', { gravity: 'northwest', tile: true }]],
    theirs: (s, overlay) => s.composite([{ input: overlay, gravity: 'northwest', tile: true }]),
  },
  {
    name: 'compose at a place',
    source: 'spaniels-400.png',
    overlay: 'mark.png',
    ours: [['compose', { layers: [{ gravity: 'northwest', x: 33, y: 21 }] }]],
    theirs: (s, overlay) => s.composite([{ input: overlay, left: 33, top: 21 }]),
  },
  {
    name: 'compose, partly outside',
    source: 'spaniels-400.png',
    overlay: 'mark.png',
    ours: [['compose', { layers: [{ gravity: 'northwest', x: -40, y: -30 }] }]],
    theirs: (s, overlay) => s.composite([{ input: overlay, left: -40, top: -30 }]),
  },
  {
    name: 'a mark on a transparent picture',
    source: 'logo.png',
    overlay: 'mark.png',
    ours: [['watermark', { gravity: 'center', blend: 'multiply' }]],
    theirs: (s, overlay) => s.composite([{ input: overlay, gravity: 'centre', blend: 'multiply' }]),
  },
];

const formats = [
  ...[40, 80, 95].flatMap((quality) => [
    {
      name: `JPEG ${quality}`,
      source: 'spaniels-400.png',
      ours: [['jpeg', { quality }]],
      theirs: (s) => s.jpeg({ quality }),
      format: 'jpg',
    },
    {
      name: `WebP ${quality}`,
      source: 'spaniels-400.png',
      ours: [['webp', { quality }]],
      theirs: (s) => s.webp({ quality }),
      format: 'webp',
    },
  ]),
  {
    name: 'JPEG of a transparent picture',
    source: 'logo.png',
    ours: [['jpeg', { quality: 90, background: 'white' }]],
    theirs: (s) => s.flatten({ background: 'white' }).jpeg({ quality: 90 }),
    format: 'jpg',
  },
  {
    name: 'JPEG, progressive, 4:4:4',
    source: 'spaniels-400.png',
    ours: [['jpeg', { quality: 85, progressive: true, chroma: '4:4:4' }]],
    theirs: (s) => s.jpeg({ quality: 85, progressive: true, chromaSubsampling: '4:4:4' }),
    format: 'jpg',
  },
  {
    name: 'WebP, lossless, with alpha',
    source: 'logo.png',
    ours: [['webp', { lossless: true }]],
    theirs: (s) => s.webp({ lossless: true }),
    format: 'webp',
  },
  {
    name: 'WebP with alpha',
    source: 'logo.png',
    ours: [['webp', { quality: 80 }]],
    theirs: (s) => s.webp({ quality: 80 }),
    format: 'webp',
  },
  { name: 'PNG with alpha', source: 'logo.png', ours: [['png']], theirs: (s) => s.png(), format: 'png' },
];

const chains = [
  {
    name: 'orient, resize, sharpen, mark',
    source: 'turned-6.jpg',
    overlay: 'mark.png',
    ours: [['auto_orient'], ['resize', { width: 240 }], ['watermark', { gravity: 'southeast' }]],
    theirs: (s, overlay) => s.rotate().resize(240).composite([{ input: overlay, gravity: 'southeast' }]),
  },
  {
    name: 'resize, blur, grayscale',
    source: 'dandelions.jpg',
    ours: [['resize', { width: 300 }], ['blur', { sigma: 2 }], ['grayscale']],
    theirs: (s) => s.resize(300).blur({ sigma: 2, precision: 'float' }).grayscale(),
  },
  {
    name: 'resize, extend, flatten',
    source: 'logo.png',
    ours: [
      ['resize', { width: 200 }],
      ['extend', { top: 10, right: 10, bottom: 10, left: 10, background: CLEAR }],
      ['flatten', { background: 'white' }],
    ],
    theirs: (s) =>
      s.resize(200).extend({ top: 10, right: 10, bottom: 10, left: 10, background: CLEAR }).flatten({ background: 'white' }),
    differs: 'sharp flattens before it extends, in whichever order it is asked; mediaflow keeps to the order of its steps',
  },
];

export const GROUPS = { resize, 'place and turn': place_and_turn, colours, neighbours, layers, formats, chains };
