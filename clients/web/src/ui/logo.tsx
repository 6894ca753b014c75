import url from "../favicon.svg";

export function Logo() {
  return <img className="logo" src={url} alt="" width="40" height="40" />;
}
