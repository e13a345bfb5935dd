#!/usr/bin/env node
/** Starts the command `maekawa`, of which the build makes one file (`run.ts` and all that it needs). Law: loads nothing else. */
import { join } from 'node:path';
import { loadCached } from './code-cache';
import type * as Run from './run';

const { start } = loadCached(join(__dirname, '../../bundle/maekawa.js'), require) as typeof Run;
start();
