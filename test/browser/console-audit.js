// Runs in the page: what a person with a keyboard, a screen reader or weak eyes would stumble over. Gives a list of sentences.

(() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ opacityProperty: false, visibilityProperty: true });
  const say = (element, what) => {
    const text = (element.textContent ?? '').trim().slice(0, 40);
    faults.push(
      `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ''}.${element.className} "${text}": ${what}`,
    );
  };

  function nameOf(element) {
    const label = element.getAttribute('aria-label');
    if (label) return label;
    const by = element.getAttribute('aria-labelledby');
    if (by)
      return by
        .split(' ')
        .map((id) => document.getElementById(id)?.textContent ?? '')
        .join(' ');
    const labels = [...(element.labels ?? [])].map((each) => each.textContent).join(' ');
    if (labels.trim()) return labels;
    if (element.tagName === 'IMG') return element.alt;
    if (['INPUT', 'SELECT', 'TEXTAREA', 'PROGRESS', 'VIDEO'].includes(element.tagName)) return '';
    const pictures = [...element.querySelectorAll('img')].map(({ alt }) => alt).join(' ');
    return `${element.textContent} ${pictures}`;
  }

  for (const element of document.querySelectorAll(
    'a,button,input,select,textarea,progress,video,summary,fieldset,[role]',
  )) {
    if (!seen(element) || ['status', 'group', 'alert', 'presentation'].includes(element.getAttribute('role')))
      continue;
    if (nameOf(element).trim() === '') say(element, 'has no name');
  }
  for (const image of document.images) if (!image.hasAttribute('alt')) say(image, 'has no alt');
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of new Set(ids.filter((each, at) => ids.indexOf(each) !== at)))
    faults.push(`the id ${id} is there twice`);
  if (document.querySelectorAll('h1').length !== 1)
    faults.push(`there are ${document.querySelectorAll('h1').length} first headings`);
  if (document.documentElement.lang === '') faults.push('the page says no language');
  if (document.querySelectorAll('main').length !== 1) faults.push('there is no one main part');

  // WCAG 2.2, 1.4.3: contrast of text, with what lies behind it laid over one another.
  const parse = (colour) => {
    const [r = 0, g = 0, b = 0, a = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
    const scale = colour.startsWith('color(') ? 255 : 1;
    return [r * scale, g * scale, b * scale, a];
  };
  const over = ([r, g, b, a], [R, G, B]) => [
    r * a + R * (1 - a),
    g * a + G * (1 - a),
    b * a + B * (1 - a),
    1,
  ];
  const behind = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.toReversed().reduce((ground, layer) => over(layer, ground), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((each) =>
      each / 255 <= 0.04045 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const { parentElement: element, textContent } = walker.currentNode;
    if (
      textContent.trim() === '' ||
      !seen(element) ||
      element.closest(':disabled, script, option, .sr, .preview')
    )
      continue;
    texts++;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const ink = over(parse(style.color), ground);
    const [low, high] = [light(ground), light(ink)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5))
      say(
        element,
        `has a contrast of ${ratio.toFixed(2)} (${style.color} on ${ground.map((each) => Math.round(each)).join(', ')})`,
      );
  }
  if (texts < 5) faults.push(`only ${texts} texts were looked at`);
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`it is ${scrollWidth} wide in a window of ${clientWidth}`);
  return faults;
})();
