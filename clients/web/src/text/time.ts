const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const withYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** Days between two local dates. */
function daysBetween(from: Date, to: Date): number {
  const midnight = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(to) - midnight(from)) / 86_400_000);
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export const timeOf = (at: string): string => time.format(new Date(at));

export const fullTimeOf = (at: string): string => full.format(new Date(at));

export const dayKeyOf = (at: string): string => new Date(at).toDateString();

/** A day as a heading: Today, Yesterday, Monday 3 June, 3 June 2024. */
export function dayOf(at: string, now = new Date()): string {
  const date = new Date(at);
  const days = daysBetween(date, now);
  if (days === 0 || days === 1) return capital(ago.format(-days, "day"));
  return (date.getFullYear() === now.getFullYear() ? weekday : withYear).format(date);
}

/** The time of today, the day of earlier. */
export function shortTimeOf(at: string, now = new Date()): string {
  const date = new Date(at);
  return daysBetween(date, now) === 0 ? time.format(date) : day.format(date);
}

/** "3 minutes ago", for what lies at most some days back. */
export function agoOf(at: string, now = Date.now()): string {
  const minutes = Math.round((now - Date.parse(at)) / 60_000);
  if (minutes < 60) return ago.format(-minutes, "minute");
  if (minutes < 48 * 60) return ago.format(-Math.round(minutes / 60), "hour");
  return ago.format(-Math.round(minutes / 1440), "day");
}

/** "2 d 3 h", "5 min". */
export function durationOf(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
