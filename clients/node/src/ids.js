// Ids of clubs: any BSON scalar, as one text, and the app's hash of it. See docs/shards-protocol.md.

import { BSON } from 'mongodb';

const WRAPPED = '{"$';

/** The app's hash of a text: 31 h + c over UTF-16 code units, wrapped to 32 bits, then the absolute value. */
export function legacyHash(text) {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = ((hash << 5) - hash + text.charCodeAt(at)) | 0;
  return Math.abs(hash);
}

/** The text for a club's id as the store has it; null for what is no id (null, lists, documents, NaN). */
export function clubText(value) {
  if (typeof value === 'string') return value.startsWith(WRAPPED) ? wrapped('string', value) : value;
  if (value === null || value === undefined || Array.isArray(value)) return null;
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'bigint') return wrapped('number', value.toString());
  const type = value._bsontype;
  if (type === 'ObjectId') return wrapped('oid', value.toHexString());
  if (type === 'Int32' || type === 'Double') return numberText(Number(value.valueOf()));
  if (type === 'Long') return wrapped('number', value.toString());
  if (type === 'Decimal128') return decimalText(value.toString());
  if (type === 'Binary' && value.sub_type === 4 && value.position === 16) return wrapped('uuid', uuidText(value));
  if (type === undefined && !(value instanceof Date) && typeof value !== 'boolean') return null;
  return wrapped('bson', Buffer.from(BSON.serialize({ '': value })).toString('base64'));
}

/** The app's hash of a club, given as its text: 0 to 2^31. */
export function clubHash(text) {
  return legacyHash(text.startsWith(WRAPPED) ? Object.values(JSON.parse(text))[0] : text);
}

const wrapped = (kind, text) => `{"$${kind}":${JSON.stringify(text)}}`;

function numberText(value) {
  if (!Number.isFinite(value)) return null;
  return wrapped('number', Number.isInteger(value) ? BigInt(value).toString() : String(value));
}

function decimalText(text) {
  const parts = /^(-?)(\d*)(?:\.(\d*))?(?:E([+-]?\d+))?$/i.exec(text);
  if (!parts) return null; // NaN and the infinities
  const [, sign, whole, fraction = '', exponent = '0'] = parts;
  let digits = whole + fraction;
  let scale = fraction.length - Number(exponent);
  for (; scale > 0 && digits.endsWith('0'); scale -= 1) digits = digits.slice(0, -1) || '0';
  if (/^0*$/.test(digits)) return wrapped('number', '0');
  if (scale > 0) return wrapped('decimal', text);
  return wrapped('number', sign + BigInt(digits + '0'.repeat(-scale)).toString());
}

function uuidText(binary) {
  const hex = Buffer.from(binary.buffer).subarray(0, 16).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
