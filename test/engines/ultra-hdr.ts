// Makes an Ultra HDR photo: a JPEG, with a gain map behind it (Ultra HDR Image Format 1.1; CIPA DC-007 for MPF).

const XMP = 'http://ns.adobe.com/xap/1.0/\0';
const RDF =
  '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"';
const END = '</rdf:Description></rdf:RDF></x:xmpmeta>';

/** `base` and `gain`: JPEGs as sharp writes them. */
export function ultraHdr(base: Uint8Array, gain: Uint8Array): Buffer {
  const map = withSegments(
    gain,
    xmp(
      `${RDF} hdrgm:GainMapMin="0" hdrgm:GainMapMax="2" hdrgm:Gamma="1" hdrgm:OffsetSDR="0.015625" hdrgm:OffsetHDR="0.015625" hdrgm:HDRCapacityMin="0" hdrgm:HDRCapacityMax="2" hdrgm:BaseRenditionIsHDR="False">${END}`,
    ),
  );
  const item = (attributes: string): string =>
    `<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/jpeg" ${attributes}/></rdf:li>`;
  const directory = xmp(
    `${RDF} xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><Container:Directory><rdf:Seq>${item('Item:Semantic="Primary"')}${item(`Item:Semantic="GainMap" Item:Length="${map.length}"`)}</rdf:Seq></Container:Directory>${END}`,
  );
  const length = withSegments(base, directory, multiPicture(0, 0, 0)).length;
  // Offsets count from the TIFF header inside the segment.
  const index = multiPicture(length, map.length, length - (2 + directory.length + 8));
  return Buffer.concat([withSegments(base, directory, index), map]);
}

function withSegments(jpeg: Uint8Array, ...segments: Buffer[]): Buffer {
  return Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)]);
}

function segment(marker: number, body: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}

function xmp(text: string): Buffer {
  return segment(0xe1, Buffer.from(XMP + text));
}

/** The index of two pictures: the first is this file, the second lies behind it. */
function multiPicture(primaryBytes: number, mapBytes: number, mapAt: number): Buffer {
  const body = Buffer.alloc(86);
  body.write('MPF\0II*\0', 0, 'latin1');
  body.writeUInt32LE(8, 8);
  body.writeUInt16LE(3, 12);
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [0xb0_00, 7, 4, 0x30_30_31_30],
    [0xb0_01, 4, 1, 2],
    [0xb0_02, 7, 32, 50],
  ];
  for (const [index, [tag, type, count, value]] of entries.entries()) {
    const at = 14 + index * 12;
    body.writeUInt16LE(tag, at);
    body.writeUInt16LE(type, at + 2);
    body.writeUInt32LE(count, at + 4);
    body.writeUInt32LE(value, at + 8);
  }
  body.writeUInt32LE(0x03_00_00, 54);
  body.writeUInt32LE(primaryBytes, 58);
  body.writeUInt32LE(mapBytes, 74);
  body.writeUInt32LE(mapAt, 78);
  return segment(0xe2, body);
}
