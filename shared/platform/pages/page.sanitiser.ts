/** HTML of which nothing can run, load from elsewhere than https, or send what is typed anywhere. */
export type Sanitise = (html: string) => string;

const tags =
  'a b blockquote br code dd div dl dt em figcaption figure footer h1 h2 h3 h4 header hr i img li main nav ol p pre section small span strong sub sup table tbody td th thead tr u ul';

/** Lengths, colours by name or number, and plain words: no `url()`, no escapes, no expressions. */
const plain = [/^[\w#%., -]{1,100}$/];
const properties =
  'background-color border border-radius color display font-size font-style font-weight height line-height margin max-width padding text-align text-decoration width';

export const loadSanitiser = async (): Promise<Sanitise> => {
  const { default: sanitizeHtml } = await import('sanitize-html');
  return (html) =>
    sanitizeHtml(html, {
      allowedTags: tags.split(' '),
      allowedAttributes: {
        '*': ['style', 'lang', 'dir', 'title'],
        a: ['href'],
        img: ['src', 'alt', 'width', 'height'],
      },
      allowedStyles: { '*': Object.fromEntries(properties.split(' ').map((name) => [name, plain])) },
      allowedSchemes: ['https', 'mailto'],
      allowedSchemesByTag: { img: ['https'] },
      allowProtocolRelative: false,
      disallowedTagsMode: 'discard',
      nestingLimit: 50,
    });
};
