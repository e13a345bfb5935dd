import { holderTitle, visible } from '../../src/locks/holder-title';

test('a holder is its client id, and its label if it has one', () => {
  expect(holderTitle({ clientId: 'n1' })).toBe('n1');
  expect(holderTitle({ clientId: 'n1/3', label: 'deploy 7, 語 👩‍💻' })).toBe('n1/3 (deploy 7, 語 👩‍💻)');
});

test('what would steer a terminal is shown as an escape', () => {
  expect(holderTitle({ clientId: 'n1/3', label: '\x1b[2Ja\nb\x7f\u009bc\u2028d\u202ee' })).toBe('n1/3 (\\u001b[2Ja\\u000ab\\u007f\\u009bc\\u2028d\\u202ee)');
  expect(visible('')).toBe('');
});
