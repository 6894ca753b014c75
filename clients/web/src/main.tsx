import { createRoot } from "react-dom/client";
import { App } from "./app.js";
import "./styles/index.css";
import { applyTheme } from "./theme.js";

applyTheme();
const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);
