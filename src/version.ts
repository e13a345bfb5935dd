/** The version of this package. In the code, so that no file has to be found while a program runs; a test compares it with package.json. */
export const VERSION = '0.1.0';
