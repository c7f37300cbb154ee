import { type AcmePayment, digitsOf } from './sandbox.schema.ts';

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`);

const amountOf = ({ amount, currency }: AcmePayment): string => {
  const digits = digitsOf(currency);
  return `${(amount / 10 ** digits).toFixed(digits)} ${currency}`;
};

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)} · AcmePay sandbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:3rem auto;padding:0 1rem}
input,button{font:inherit;padding:.5rem .8rem;margin:.3rem 0;width:100%;box-sizing:border-box}</style>
<h1>${escapeHtml(title)}</h1>${body}
<p><small>This is a sandbox: no money moves.</small></p></html>
`;

/** Where the payer gives a card, passes the bank's challenge, or is told how it ended. */
export const payerPage = (payment: AcmePayment): string => {
  const description = payment.description === null ? '' : `<p>${escapeHtml(payment.description)}</p>`;
  if (payment.status !== 'requires_action') {
    const back = payment.return_url === null ? '' : `<p><a href="${escapeHtml(payment.return_url)}">Go on</a></p>`;
    return page(`The payment is ${payment.status}`, `${description}${back}`);
  }
  if (payment.payment_method === null) {
    return page(
      `Pay ${amountOf(payment)}`,
      `${description}<form method="post"><input name="card" inputmode="numeric" placeholder="4242424242424242"
      pattern="\\d{16}" required aria-label="Card number"><button name="action" value="pay">Pay</button></form>`,
    );
  }
  return page(
    'Is it you?',
    `<p>Your bank asks whether you pay ${escapeHtml(amountOf(payment))}.</p><form method="post">
    <button name="action" value="approve">It is me</button><button name="action" value="deny">It is not</button></form>`,
  );
};
