import { IlrecError } from '../errors';
import { show } from './text_file';

/** What a column of a table may be. */
export type ColumnRole = 'user' | 'item' | 'time' | 'rating' | 'event' | 'title';

export const COLUMN_ROLES: readonly ColumnRole[] = ['user', 'item', 'time', 'rating', 'event', 'title'];

/**
 * Says which column is what.
 *
 * - An object maps onto the header: `{ user: 'customer_id', time: '-' }`. Case does not matter, `-` is no column, and
 *   roles that are left out are found by their usual names.
 * - A list is for a file without a header: `['user', 'item', '-', 'time']` names the columns in order, `-` is one to
 *   ignore.
 */
export type TableColumns = readonly string[] | Readonly<Partial<Record<ColumnRole, string>>>;

/** No column. */
export const NO_COLUMN = '-';

/** The usual names, without case, spaces and punctuation. */
const NAMES: Record<ColumnRole, readonly string[]> = {
  user: words(`user userid uid username customer customerid customerno customernumber client clientid member memberid
    account accountid buyer buyerid visitor visitorid reviewer reviewerid person personid subscriber subscriberid`),
  item: words(`item itemid iid id movie movieid product productid productcode sku asin parentasin article articleid
    isbn book bookid game gameid appid song songid track trackid artistid video videoid business businessid newsid
    stockcode itemcode recipeid courseid`),
  time: words(`time timestamp ts date datetime unixtime unixtimestamp unixreviewtime orderdate orderdatetime ordertime
    ordertimestamp orderedat purchasedate purchasetime purchasetimestamp purchasedat invoicedate transactiondate
    createdat createdtime eventtime eventdate eventtimestamp ratedat ratingtime ratingtimestamp reviewdate clicktime
    interactiontime interactiondate viewedat watchedat visitedat`),
  rating: words('rating ratings ratingvalue score stars overall reviewrating userrating'),
  event: words('event eventtype behavior behaviour behaviortype action actiontype interactiontype'),
  title: words('title itemtitle itemname producttitle productname movietitle'),
};

/** In a table of titles, the title may have shorter names: there is no user whose name it could be. */
const TITLE_NAMES = [...NAMES.title, 'name'];

/** Finds the columns of a table. */
export interface ColumnSearch {
  /** The public function that errors name. */
  readonly reader: string;
  readonly file: string;
  readonly roles: readonly ColumnRole[];
  /** Those of `roles` that a table must have. */
  readonly required: readonly ColumnRole[];
  readonly columns?: Readonly<Partial<Record<ColumnRole, string>>>;
  /** Whether the usual names do where a name of `columns` is missing. Default false. */
  readonly lenient?: boolean;
}

/**
 * Finds the column of each role, by `columns` and then by the usual names.
 *
 * @param names the header, or the keys of an object.
 * @param line the line that they stand on.
 * @param of what errors call them.
 * @returns one place per role; -1 where there is none.
 * @throws IlrecError when a required column is missing, or when two columns fit a role.
 */
export function findColumns(
  { reader, file, roles, required, columns = {}, lenient = false }: ColumnSearch,
  names: readonly string[],
  line: number,
  of: 'header' | 'keys' = 'header',
): number[] {
  const where = `${reader}: ${file} line ${line}`;
  const plain = names.map(plainName);
  const named = Object.values(columns).map(plainName);
  return roles.map((role) => {
    const asked = columns[role];
    if (asked === NO_COLUMN && !required.includes(role)) return -1;
    const usual = usualNames(role, roles);
    let fits = asked === undefined ? [] : placesAsked(names, plain, asked);
    if (asked === undefined || (lenient && fits.length === 0))
      fits = placesOf(plain, (name) => usual.includes(name) && !named.includes(name));
    if (fits.length === 1) return fits[0];
    if (fits.length > 1) {
      const found = fits.map((place) => show(names[place])).join(' and ');
      throw new IlrecError(
        `${where}: only one column may be the ${role}, got ${found}; say which with columns, as in ` +
          `--columns ${role}=${names[fits[fits.length - 1]]}, or rename one`,
      );
    }
    if (asked !== undefined && !lenient)
      throw new IlrecError(
        `${where}: columns must name a column of the table, got ${role}=${asked}, but there are ` +
          `${show(names.join(','))}; correct the name`,
      );
    if (!required.includes(role)) return -1;
    throw new IlrecError(
      `${where}: the ${of} must name the ${role}, got ${show(names.join(','))}; say which it is with ` +
        `columns, as in --columns ${role}=NAME` +
        (of === 'keys' ? '' : `, or --columns ${required.join(',')} for a file without a header`),
    );
  });
}

/** Whether a name is a usual one for the role. */
export function isUsualName(role: ColumnRole, name: string): boolean {
  return usualNames(role, [role]).includes(plainName(name));
}

/**
 * Checks `columns`.
 *
 * @param required roles that a list must hold.
 * @throws IlrecError when it names an unknown role, a role twice, or lacks one that is needed.
 */
export function checkColumns(reader: string, columns: TableColumns, required: readonly ColumnRole[]): void {
  const isList = isColumnList(columns);
  const roles = isList ? columns.filter((role) => role !== NO_COLUMN) : Object.keys(columns);
  const wrong = roles.find((role) => !(COLUMN_ROLES as readonly string[]).includes(role));
  if (wrong !== undefined)
    throw new IlrecError(
      `${reader}: columns must be of ${COLUMN_ROLES.join(', ')}, got ${show(wrong)}; write ` +
        (isList ? `"${NO_COLUMN}" for a column to ignore` : 'the role before the name, as in item=sku'),
    );
  if (!isList) {
    const names = Object.values(columns).filter((name) => name !== NO_COLUMN);
    const shared = names.find((name, place) => names.indexOf(name) !== place);
    if (shared !== undefined)
      throw new IlrecError(
        `${reader}: columns must give each role its own column, got ${show(shared)} twice; name another`,
      );
    return;
  }
  const twice = roles.find((role, place) => roles.indexOf(role) !== place);
  if (twice !== undefined)
    throw new IlrecError(`${reader}: columns must name each role once, got ${twice} twice; write "-" for one of them`);
  const missing = required.find((role) => !roles.includes(role));
  if (missing !== undefined)
    throw new IlrecError(
      `${reader}: columns must name the ${missing}, got ${show(columns.join(','))}; name every column in order`,
    );
}

/** Whether `columns` is for a file without a header. */
export function isColumnList(columns: TableColumns | undefined): columns is readonly string[] {
  return Array.isArray(columns);
}

function usualNames(role: ColumnRole, roles: readonly ColumnRole[]): readonly string[] {
  return role === 'title' && !roles.includes('user') ? TITLE_NAMES : NAMES[role];
}

/** The places of a name that the caller gave: exactly so, else without case and punctuation. */
function placesAsked(names: readonly string[], plain: readonly string[], asked: string): number[] {
  const exact = names.flatMap((name, place) => (name.trim() === asked.trim() ? [place] : []));
  return exact.length > 0 ? exact : placesOf(plain, (name) => name === plainName(asked));
}

function placesOf(plain: readonly string[], fits: (name: string) => boolean): number[] {
  return plain.flatMap((name, place) => (fits(name) ? [place] : []));
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

function words(text: string): string[] {
  return text.split(/\s+/);
}
