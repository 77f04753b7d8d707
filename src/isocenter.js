#!/usr/bin/env node
// The command of the package. In a checkout Node runs the sources as they are; under node_modules, where it strips no
// types, it runs what `prepack` compiled.
const isInstalled = import.meta.url.includes("/node_modules/");
await import(isInstalled ? "../dist/main.js" : "./main.ts");
