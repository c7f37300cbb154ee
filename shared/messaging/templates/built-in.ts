import type { EmailRequest, SmsRequest } from '../message.events.ts';

/** Liquid sources of one email. */
export interface EmailSource {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** What a built-in email says. Each part is Liquid. */
interface Content {
  readonly subject: string;
  readonly lines: readonly string[];
  readonly button?: string;
  readonly code?: true;
  readonly note: string;
}

interface Language {
  readonly hello: string;
  readonly emails: Readonly<Record<EmailRequest['template'], Content>>;
  readonly texts: Readonly<Record<SmsRequest['template'], string>>;
}

const en: Language = {
  hello: 'Hello{% if name %} {{ name }}{% endif %},',
  emails: {
    'verify-email': {
      subject: 'Confirm your email address',
      lines: ['please confirm that this is your email address. The link is valid for {{ minutes }} minutes.'],
      button: 'Confirm address',
      note: 'If you did not sign up at {{ brand.name }}, ignore this message.',
    },
    'magic-link': {
      subject: 'Your sign-in link for {{ brand.name }}',
      lines: ['with this link you sign in. It works once, within {{ minutes }} minutes.'],
      button: 'Sign in',
      note: 'If you did not ask for it, ignore this message. Never pass the link on.',
    },
    'password-reset': {
      subject: 'Reset your password',
      lines: ['with this link you choose a new password. It works once, within {{ minutes }} minutes.'],
      button: 'Choose a new password',
      note: 'If you did not ask for it, ignore this message: your password stays as it is.',
    },
    'email-changed': {
      subject: 'Your email address was changed',
      lines: [
        'the address of your account at {{ brand.name }} was changed to {{ newEmail }} on {{ at | time: locale }}.',
      ],
      button: 'That was not me',
      note: 'If it was you, there is nothing to do.',
    },
    'password-changed': {
      subject: 'Your password was changed',
      lines: ['the password of your account at {{ brand.name }} was changed on {{ at | time: locale }}.'],
      button: 'That was not me',
      note: 'If it was you, there is nothing to do.',
    },
    'new-sign-in': {
      subject: 'New sign-in to your account',
      lines: [
        'somebody signed in to your account at {{ brand.name }}.',
        'When: {{ at | time: locale }}',
        'Device: {{ device }}',
        'Place: {{ place }}',
      ],
      button: 'Check your sessions',
      note: 'If it was you, there is nothing to do.',
    },
    invitation: {
      subject: 'Invitation to {{ brand.name }}',
      lines: [
        '{{ inviter }} invites you to {{ brand.name }} as {{ role }}. The invitation is valid for {{ hours }} hours.',
      ],
      button: 'Accept the invitation',
      note: 'If you do not know the sender, ignore this message.',
    },
    'mfa-code': {
      subject: 'Your code for {{ brand.name }}',
      lines: ['this is your code. It is valid for {{ minutes }} minutes.'],
      code: true,
      note: 'Never pass it on. If you are not signing in right now, change your password.',
    },
    'payment-received': {
      subject: 'Payment received: {{ number }}',
      lines: ['thank you. {{ seller }} has received {{ amount }} for invoice {{ number }}.'],
      note: 'There is nothing to do.',
    },
    'payment-overdue': {
      subject: 'Payment due: {{ number }}',
      lines: ['{{ amount }} of invoice {{ number }} of {{ seller }} is not paid yet. Please see to it.'],
      note: 'If you have paid since, ignore this message.',
    },
  },
  texts: {
    'mfa-code': '{{ code }} is your code for {{ brand.name }}, valid for {{ minutes }} minutes. Never pass it on.',
    'new-sign-in': 'New sign-in to {{ brand.name }}: {{ device }}, {{ place }}. Not you? {{ link }}',
  },
};

const de: Language = {
  hello: 'Hallo{% if name %} {{ name }}{% endif %},',
  emails: {
    'verify-email': {
      subject: 'Bestätigen Sie Ihre E-Mail-Adresse',
      lines: ['bitte bestätigen Sie, dass dies Ihre Adresse ist. Der Link gilt {{ minutes }} Minuten.'],
      button: 'Adresse bestätigen',
      note: 'Wenn Sie sich nicht bei {{ brand.name }} angemeldet haben, ist nichts zu tun.',
    },
    'magic-link': {
      subject: 'Ihr Anmeldelink für {{ brand.name }}',
      lines: ['mit diesem Link melden Sie sich an. Er gilt einmal, innerhalb von {{ minutes }} Minuten.'],
      button: 'Anmelden',
      note: 'Wenn Sie ihn nicht angefordert haben, ist nichts zu tun. Geben Sie den Link nie weiter.',
    },
    'password-reset': {
      subject: 'Passwort zurücksetzen',
      lines: ['mit diesem Link wählen Sie ein neues Passwort. Er gilt einmal, innerhalb von {{ minutes }} Minuten.'],
      button: 'Neues Passwort wählen',
      note: 'Wenn Sie ihn nicht angefordert haben, ist nichts zu tun: Ihr Passwort bleibt, wie es ist.',
    },
    'email-changed': {
      subject: 'Ihre E-Mail-Adresse wurde geändert',
      lines: [
        'die Adresse Ihres Kontos bei {{ brand.name }} wurde am {{ at | time: locale }} zu {{ newEmail }} geändert.',
      ],
      button: 'Das war ich nicht',
      note: 'Wenn Sie es waren, ist nichts zu tun.',
    },
    'password-changed': {
      subject: 'Ihr Passwort wurde geändert',
      lines: ['das Passwort Ihres Kontos bei {{ brand.name }} wurde am {{ at | time: locale }} geändert.'],
      button: 'Das war ich nicht',
      note: 'Wenn Sie es waren, ist nichts zu tun.',
    },
    'new-sign-in': {
      subject: 'Neue Anmeldung bei Ihrem Konto',
      lines: [
        'jemand hat sich bei Ihrem Konto bei {{ brand.name }} angemeldet.',
        'Wann: {{ at | time: locale }}',
        'Gerät: {{ device }}',
        'Ort: {{ place }}',
      ],
      button: 'Sitzungen prüfen',
      note: 'Wenn Sie es waren, ist nichts zu tun.',
    },
    invitation: {
      subject: 'Einladung zu {{ brand.name }}',
      lines: ['{{ inviter }} lädt Sie zu {{ brand.name }} ein ({{ role }}). Die Einladung gilt {{ hours }} Stunden.'],
      button: 'Einladung annehmen',
      note: 'Wenn Sie den Absender nicht kennen, ist nichts zu tun.',
    },
    'mfa-code': {
      subject: 'Ihr Code für {{ brand.name }}',
      lines: ['dies ist Ihr Code. Er gilt {{ minutes }} Minuten.'],
      code: true,
      note: 'Geben Sie ihn nie weiter. Wenn Sie sich gerade nicht anmelden, ändern Sie Ihr Passwort.',
    },
    'payment-received': {
      subject: 'Zahlung erhalten: {{ number }}',
      lines: ['vielen Dank. {{ seller }} hat {{ amount }} für die Rechnung {{ number }} erhalten.'],
      note: 'Es ist nichts zu tun.',
    },
    'payment-overdue': {
      subject: 'Zahlung offen: {{ number }}',
      lines: [
        '{{ amount }} der Rechnung {{ number }} von {{ seller }} sind noch offen. Bitte veranlassen Sie die Zahlung.',
      ],
      note: 'Wenn Sie inzwischen gezahlt haben, ist nichts zu tun.',
    },
  },
  texts: {
    'mfa-code': '{{ code }} ist Ihr Code für {{ brand.name }}, gültig {{ minutes }} Minuten. Nie weitergeben.',
    'new-sign-in': 'Neue Anmeldung bei {{ brand.name }}: {{ device }}, {{ place }}. Nicht Sie? {{ link }}',
  },
};

const languages = { en, de } as const;
export type BuiltInLocale = keyof typeof languages;
export const isBuiltInLocale = (locale: string): locale is BuiltInLocale => Object.hasOwn(languages, locale);

const textOf = (hello: string, { lines, button, code, note }: Content): string =>
  [
    hello,
    lines.join('\n'),
    ...(button === undefined ? [] : [`${button}: {{ link }}`]),
    ...(code ? ['{{ code }}'] : []),
    note,
    '-- \n{{ brand.name }}{% if brand.footer != "" %}\n{{ brand.footer }}{% endif %}',
  ].join('\n\n');

const paragraph = (text: string): string => `<p style="margin:0 0 16px">${text}</p>`;

/** Tables and inline styles: mail programs know little else. */
const htmlOf = (
  language: string,
  hello: string,
  { subject, lines, button, code, note }: Content,
): string => `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${subject}</title></head>
<body style="margin:0;padding:24px;background:#f4f5f7;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Arial,sans-serif;color:#1f2430">
<table role="presentation" width="100%" cellspacing="0" cellpadding="0"><tr><td align="center">
<table role="presentation" width="560" cellspacing="0" cellpadding="0" style="max-width:560px;width:100%;background:#fff;border-radius:12px"><tr><td style="padding:32px">
{% if brand.logoUrl %}<img src="{{ brand.logoUrl }}" alt="{{ brand.name }}" height="40" style="margin:0 0 24px">{% else %}<div style="margin:0 0 24px;font-size:20px;font-weight:600">{{ brand.name }}</div>{% endif %}
${[hello, ...lines].map(paragraph).join('\n')}
${button === undefined ? '' : `<p style="margin:24px 0"><a href="{{ link }}" style="display:inline-block;padding:12px 24px;border-radius:8px;background:{{ brand.colour }};color:#fff;text-decoration:none;font-weight:600">${button}</a></p>`}
${code ? '<p style="margin:24px 0;font-size:32px;font-weight:700;letter-spacing:6px">{{ code }}</p>' : ''}
<p style="margin:24px 0 0;font-size:14px;color:#5b6270">${note}</p>
</td></tr></table>
<p style="font-size:12px;color:#8a909c">{{ brand.footer }}</p>
</td></tr></table>
</body></html>
`;

/** The source that a tenant may copy and change. */
export const builtInEmail = (locale: BuiltInLocale, template: EmailRequest['template']): EmailSource => {
  const { hello, emails } = languages[locale];
  const content = emails[template];
  return { subject: content.subject, text: textOf(hello, content), html: htmlOf(locale, hello, content) };
};

export const builtInSms = (locale: BuiltInLocale, template: SmsRequest['template']): string =>
  languages[locale].texts[template];
