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

const factorIn = (names: Readonly<Record<string, string>>, other: string): string =>
  `{% case method %}${Object.entries(names)
    .map(([method, name]) => `{% when '${method}' %}${name}`)
    .join('')}{% else %}${other}{% endcase %}`;
const factorEn = factorIn(
  { totp: 'an authenticator app', passkey: 'a passkey', sms: 'a phone number', email: 'your mailbox' },
  'a second factor',
);
const factorDe = factorIn(
  { totp: 'eine Authenticator-App', passkey: 'ein Passkey', sms: 'eine Telefonnummer', email: 'Ihr Postfach' },
  'ein zweiter Faktor',
);

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
    'security-alert': {
      subject: 'Security: {{ what }}',
      lines: ['{{ what }} at {{ brand.name }}.', '{{ detail }}', 'When: {{ at | time: locale }}'],
      button: 'See the incident',
      note: 'You get this because you administer {{ brand.name }}.',
    },
    invitation: {
      subject: 'Invitation to {{ brand.name }}',
      lines: [
        '{{ inviter }} invites you to {{ brand.name }} as {{ role }}. The invitation is valid for {{ hours }} hours.',
      ],
      button: 'Accept the invitation',
      note: 'If you do not know the sender, ignore this message.',
    },
    'tenant-deletion': {
      subject: '{{ brand.name }} will be deleted',
      lines: [
        'an owner asked to delete {{ brand.name }}. On {{ at | time: locale }} all of its data will be erased for good. Until then it is closed, and this link takes it back.',
      ],
      button: 'Keep it',
      note: 'If that is what you want, there is nothing to do.',
    },
    'tenant-suspended': {
      subject: '{{ brand.name }} is suspended',
      lines: ['an owner suspended {{ brand.name }} on {{ at | time: locale }}. This link opens it again.'],
      button: 'Open it again',
      note: 'Its data stays as it is. Never pass the link on.',
    },
    'mfa-code': {
      subject: 'Your code for {{ brand.name }}',
      lines: ['this is your code. It is valid for {{ minutes }} minutes.'],
      code: true,
      note: 'Never pass it on. If you are not signing in right now, change your password.',
    },
    'factor-added': {
      subject: 'A second factor was added to your account',
      lines: [
        `${factorEn} was added to your account at {{ brand.name }} on {{ at | time: locale }}.`,
        'From now on a password alone does not sign in to it.',
      ],
      button: 'That was not me',
      note: 'If it was you, there is nothing to do.',
    },
    'factor-removed': {
      subject: 'A second factor was removed from your account',
      lines: [`${factorEn} was removed from your account at {{ brand.name }} on {{ at | time: locale }}.`],
      button: 'That was not me',
      note: 'If it was you, there is nothing to do.',
    },
    'backup-code-used': {
      subject: 'A backup code was used',
      lines: [
        'somebody signed in to your account at {{ brand.name }} with a backup code on {{ at | time: locale }}.',
        'Codes that are left: {{ left }}',
      ],
      button: 'That was not me',
      note: 'If it was you, make new codes when few are left.',
    },
    'codes-blocked': {
      subject: 'Wrong codes for your account',
      lines: [
        'somebody got past the first step of signing in to your account at {{ brand.name }}, and entered wrong codes until {{ at | time: locale }}.',
        'No more codes are taken for a while. Passkeys still are.',
      ],
      button: 'Check your account',
      note: 'If it was not you, change your password: somebody knows it.',
    },
    'factor-reset-requested': {
      subject: 'Your second factors are to be removed',
      lines: [
        'an administrator of {{ brand.name }} asked on {{ at | time: locale }} to remove all second factors of your account.',
        'It happens in {{ hours }} hours. You are signed out everywhere then, and set up a new factor when you sign in.',
      ],
      button: 'Stop it',
      note: 'If you asked for it, there is nothing to do.',
    },
    'factor-reset-completed': {
      subject: 'Your second factors were removed',
      lines: ['all second factors of your account at {{ brand.name }} were removed on {{ at | time: locale }}.'],
      button: 'Sign in',
      note: 'If you did not ask for it, tell your administrator at once.',
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
    'security-alert': {
      subject: 'Sicherheit: {{ what }}',
      lines: ['{{ what }} bei {{ brand.name }}.', '{{ detail }}', 'Wann: {{ at | time: locale }}'],
      button: 'Vorfall ansehen',
      note: 'Sie erhalten dies, weil Sie {{ brand.name }} verwalten.',
    },
    invitation: {
      subject: 'Einladung zu {{ brand.name }}',
      lines: ['{{ inviter }} lädt Sie zu {{ brand.name }} ein ({{ role }}). Die Einladung gilt {{ hours }} Stunden.'],
      button: 'Einladung annehmen',
      note: 'Wenn Sie den Absender nicht kennen, ist nichts zu tun.',
    },
    'tenant-deletion': {
      subject: '{{ brand.name }} wird gelöscht',
      lines: [
        'ein Inhaber hat verlangt, {{ brand.name }} zu löschen. Am {{ at | time: locale }} werden alle Daten endgültig gelöscht. Bis dahin ist es geschlossen, und dieser Link nimmt die Löschung zurück.',
      ],
      button: 'Behalten',
      note: 'Wenn das so gewollt ist, ist nichts zu tun.',
    },
    'tenant-suspended': {
      subject: '{{ brand.name }} ist gesperrt',
      lines: ['ein Inhaber hat {{ brand.name }} am {{ at | time: locale }} gesperrt. Dieser Link öffnet es wieder.'],
      button: 'Wieder öffnen',
      note: 'Die Daten bleiben, wie sie sind. Geben Sie den Link nie weiter.',
    },
    'mfa-code': {
      subject: 'Ihr Code für {{ brand.name }}',
      lines: ['dies ist Ihr Code. Er gilt {{ minutes }} Minuten.'],
      code: true,
      note: 'Geben Sie ihn nie weiter. Wenn Sie sich gerade nicht anmelden, ändern Sie Ihr Passwort.',
    },
    'factor-added': {
      subject: 'Ihr Konto hat einen weiteren zweiten Faktor',
      lines: [
        `${factorDe} wurde am {{ at | time: locale }} zu Ihrem Konto bei {{ brand.name }} hinzugefügt.`,
        'Ein Passwort allein genügt ab jetzt nicht mehr, um sich anzumelden.',
      ],
      button: 'Das war ich nicht',
      note: 'Wenn Sie es waren, ist nichts zu tun.',
    },
    'factor-removed': {
      subject: 'Ein zweiter Faktor Ihres Kontos wurde entfernt',
      lines: [`${factorDe} wurde am {{ at | time: locale }} von Ihrem Konto bei {{ brand.name }} entfernt.`],
      button: 'Das war ich nicht',
      note: 'Wenn Sie es waren, ist nichts zu tun.',
    },
    'backup-code-used': {
      subject: 'Ein Ersatzcode wurde verwendet',
      lines: [
        'jemand hat sich am {{ at | time: locale }} mit einem Ersatzcode bei Ihrem Konto bei {{ brand.name }} angemeldet.',
        'Übrige Codes: {{ left }}',
      ],
      button: 'Das war ich nicht',
      note: 'Wenn Sie es waren: Erzeugen Sie neue Codes, wenn nur noch wenige übrig sind.',
    },
    'codes-blocked': {
      subject: 'Falsche Codes für Ihr Konto',
      lines: [
        'jemand ist bei Ihrem Konto bei {{ brand.name }} über den ersten Schritt der Anmeldung hinausgekommen und hat bis {{ at | time: locale }} falsche Codes eingegeben.',
        'Eine Weile wird kein Code mehr angenommen, Passkeys schon.',
      ],
      button: 'Konto prüfen',
      note: 'Wenn Sie es nicht waren, ändern Sie Ihr Passwort: Jemand kennt es.',
    },
    'factor-reset-requested': {
      subject: 'Ihre zweiten Faktoren sollen entfernt werden',
      lines: [
        'ein Administrator von {{ brand.name }} hat am {{ at | time: locale }} verlangt, alle zweiten Faktoren Ihres Kontos zu entfernen.',
        'Das geschieht in {{ hours }} Stunden. Sie werden dann überall abgemeldet und richten beim Anmelden einen neuen Faktor ein.',
      ],
      button: 'Aufhalten',
      note: 'Wenn Sie darum gebeten haben, ist nichts zu tun.',
    },
    'factor-reset-completed': {
      subject: 'Ihre zweiten Faktoren wurden entfernt',
      lines: ['alle zweiten Faktoren Ihres Kontos bei {{ brand.name }} wurden am {{ at | time: locale }} entfernt.'],
      button: 'Anmelden',
      note: 'Wenn Sie nicht darum gebeten haben, sagen Sie es sofort Ihrem Administrator.',
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
