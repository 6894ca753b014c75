import { HISTORY } from "./stats.js";

const WIDTH = 240;
const HEIGHT = 56;

interface ChartProps {
  label: string;
  values: readonly number[];
}

/** A line of the last two minutes; its top is the greatest value. */
export function Chart({ label, values }: ChartProps) {
  const top = Math.max(1, ...values);
  const x = (i: number) => WIDTH - ((values.length - 1 - i) * WIDTH) / (HISTORY - 1);
  const y = (value: number) => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg
      className="chart"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label} over the last two minutes, at most ${Math.round(top)}`}
    >
      {points.length > 1 && (
        <>
          <polygon points={`${x(0).toFixed(1)},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`} />
          <polyline points={points.join(" ")} />
        </>
      )}
    </svg>
  );
}
