/** The departments of the demo shop and the kinds of gear in each. */
export const DEPARTMENTS: readonly (readonly string[])[] = [
  ['Tent', 'Sleeping Bag', 'Sleeping Mat', 'Camp Pillow', 'Camp Lantern'],
  ['Gas Stove', 'Cook Pot', 'Camp Kettle', 'Water Bottle', 'Water Filter'],
  ['Hiking Boots', 'Trekking Poles', 'Rain Jacket', 'Day Pack', 'Map Case'],
  ['Climbing Rope', 'Climbing Harness', 'Carabiner Set', 'Belay Device', 'Chalk Bag'],
  ['Kayak Paddle', 'Dry Bag', 'Life Vest', 'Spray Skirt', 'Paddling Gloves'],
  ['Bike Helmet', 'Bike Light', 'Pannier', 'Tyre Pump', 'Bike Repair Kit'],
  ['Snowshoes', 'Ski Goggles', 'Ski Gloves', 'Avalanche Probe', 'Thermal Base Layer'],
  ['Fly Rod', 'Fly Reel', 'Fishing Line', 'Tackle Box', 'Fishing Waders'],
];

/** Each brand has two lines of gear that goes together. */
export const BRANDS: readonly { brand: string; lines: readonly [string, string] }[] = [
  { brand: 'Norrvik', lines: ['Aurora', 'Fjell'] },
  { brand: 'Larkfell', lines: ['Tarn', 'Beacon'] },
  { brand: 'Old Quarry', lines: ['Granite', 'Slate'] },
  { brand: 'Bläcksjö', lines: ['Ripple', 'Delta'] },
  { brand: 'Saddleback', lines: ['Ridge', 'Gully'] },
  { brand: 'Tern & Co', lines: ['Coast', 'Harbour'] },
  { brand: 'Highmark', lines: ['Summit', 'Cirrus'] },
  { brand: 'Pinyon', lines: ['Mesa', 'Canyon'] },
  { brand: 'Redthorn', lines: ['Heath', 'Bramble'] },
  { brand: 'Kestrel Works', lines: ['Swift', 'Hover'] },
  { brand: 'Émeraude', lines: ['Forêt', 'Mousse'] },
  { brand: 'Basecamp Nine', lines: ['Storm', 'Halo'] },
];

/** How the gear is built; each customer prefers one. */
export const BUILDS: readonly string[] = [
  'Ultralight',
  'Insulated',
  'Compact',
  'Expedition',
  'Classic',
  'All-Weather',
  'Starter',
  'Pro',
];

/** Colours are in the titles, but nobody chooses by them. */
export const COLOURS: readonly string[] = ['Moss', 'Charcoal', 'Burnt Orange', 'Deep Blue', 'Sand', 'Black'];
