/** The scripts of the account and error pages: only the theme. */

import { watchTheme } from "./theme.js";

watchTheme(document.body);
