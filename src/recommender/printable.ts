/**
 * What a terminal must not get from a dataset: control characters, which move the cursor or change colours, and marks
 * that reverse the direction of writing.
 */
// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** A text with its control characters as escapes such as `\x1b`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  });
}

const LONGEST = 80;

/** A name in double quotes, for messages: printable, and shortened where it is long. */
export function quoted(name: string): string {
  const whole = [...printable(name)];
  return `"${whole.length > LONGEST ? `${whole.slice(0, LONGEST).join('')}...` : whole.join('')}"`;
}
