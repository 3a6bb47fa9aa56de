// SPDX-License-Identifier: Apache-2.0
// hot_names.js - for SECONDS (its argument) in hotLeaf(), called by hotOuter().
"use strict";

function hotLeaf(n, seed) {
  let x = seed | 0;
  for (let i = 0; i < n; i++)
    x = (Math.imul(x, 1103515245) + 12345) | 0;
  return x;
}

function hotOuter(seed) {
  return hotLeaf(200000, seed) ^ hotLeaf(100000, seed + 1);
}

const end = Date.now() + 1000 * Number(process.argv[2] || 1);
let sum = 0;
while (Date.now() < end)
  sum ^= hotOuter(sum);
process.exitCode = sum === 1 ? 1 : 0;
