// Svix's own library, which goes by its own header names too, signs what the front accepts and reads what the stand-in signs.
import { Webhook } from 'svix';
import { theySign, weSignBothFamilies } from './both_ways.mjs';

await theySign(Webhook, 'svix');
await weSignBothFamilies(Webhook, ['svix', 'webhook']);
console.log('svix agrees');
