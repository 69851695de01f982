// Examples of resize: for the reference, and run by the contract test.

export const resizeExamples = [
  {
    shows: 'at most 600 pixels wide',
    params: { width: 600 },
    query: 'width=600',
    gives: { width: 600, height: 400 },
  },
  {
    shows: 'a square thumbnail, cut where most is to be seen',
    params: { width: 300, height: 300, fit: 'cover', position: 'attention' },
    query: 'width=300&height=300&fit=cover&position=attention',
    gives: { width: 300, height: 300 },
  },
  {
    shows: 'a square thumbnail around a point in the left upper part',
    params: { width: 300, height: 300, fit: 'cover', focus: '0.2,0.3' },
    query: 'width=300&height=300&fit=cover&focus=0.2,0.3',
    gives: { width: 300, height: 300 },
  },
  {
    shows: 'the whole picture in a white square',
    params: { width: 400, height: 400, fit: 'contain', background: 'white' },
    query: 'width=400&height=400&fit=contain&background=white',
    gives: { width: 400, height: 400 },
  },
  {
    shows: 'stretched',
    params: { width: 500, height: 500, fit: 'fill' },
    query: 'width=500&height=500&fit=fill',
    gives: { width: 500, height: 500 },
  },
  {
    shows: 'covering a box, nothing cut off',
    params: { width: 300, height: 300, fit: 'outside' },
    query: 'width=300&height=300&fit=outside',
    gives: { width: 450, height: 300 },
  },
  {
    shows: 'for a screen of double density',
    params: { width: 300, dpr: 2 },
    query: 'width=300&dpr=2',
    gives: { width: 600, height: 400 },
  },
  {
    shows: 'narrow, but never less than 300 pixels high',
    params: { width: 300, minHeight: 300 },
    query: 'width=300&minHeight=300',
    gives: { width: 450, height: 300 },
  },
  {
    shows: 'left as it is, because it is smaller than that',
    params: { width: 2400 },
    query: 'width=2400',
    gives: { width: 1200, height: 800 },
  },
  {
    shows: 'made larger',
    params: { height: 1000, enlarge: true },
    query: 'height=1000&enlarge=true',
    gives: { width: 1500, height: 1000 },
  },
] as const;
