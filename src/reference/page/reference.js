// What the reference does beyond being read: a search, and buttons that copy the examples.

const search = document.getElementById('search');
const nothing = document.getElementById('nothing');
const operations = [...document.querySelectorAll('.operation')].map((section) => ({
  section,
  entry: document.querySelector(`nav a[href="#${CSS.escape(section.id)}"]`)?.parentElement,
  text: `${section.id} ${section.textContent}`.toLowerCase(),
}));

search.addEventListener('input', () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { section, entry, text } of operations) {
    const fits = words.every((word) => text.includes(word));
    section.hidden = !fits;
    if (entry) entry.hidden = !fits;
    if (fits) found++;
  }
  nothing.hidden = found > 0;
});

for (const figure of document.querySelectorAll('.samples figure')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  };
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(figure.querySelector('code').textContent).then(
      () => say('Copied'),
      () => say('Not allowed'),
    );
  });
  figure.querySelector('figcaption').append(button);
}

// What a link leads to is to be seen, also where it is folded away.
function open() {
  const target =
    location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  for (let each = target; each !== null; each = each.parentElement)
    if (each.localName === 'details') each.open = true;
  target?.scrollIntoView();
}
addEventListener('hashchange', open);
