/** What an item of the agenda is. The first five are for a node: they wait while it is frozen or slow. */
export const DELIVER = 0;
export const WAKE = 1;
export const CALLER = 2;
export const CEILING = 3;
export const DETECT = 4;
export const START = 5;
export const FAULT = 6;
export const FAULT_ENDS = 7;
export const HEAL = 8;
export const LOOK = 9;
export const REST = 10;
export const WRITE = 11;
/** Whatever its payload does. */
export const CALL = 12;
