// What of libheif-js is used: its own types describe another of its files.

declare module 'libheif-js/libheif-wasm/libheif-bundle.js' {
  /** Objects of C++ that are only handed on. */
  interface Handle {
    readonly code?: unknown;
  }
  interface Plane {
    readonly id: unknown;
    readonly width: number;
    readonly height: number;
    /** Bytes from one row to the next. */
    readonly stride: number;
    readonly data: Uint8Array;
  }
  export interface Libheif {
    readonly heif_error_code: { readonly heif_error_Ok: unknown };
    readonly heif_colorspace: { readonly heif_colorspace_RGB: unknown };
    readonly heif_chroma: { readonly heif_chroma_interleaved_RGBA: unknown };
    readonly heif_channel: { readonly heif_channel_interleaved: unknown };
    readonly HEAPU8?: Uint8Array;
    heif_context_alloc(): Handle;
    heif_context_free(context: Handle): void;
    heif_context_read_from_memory(
      context: Handle,
      file: Uint8Array,
    ): { readonly code: unknown; readonly message: string };
    heif_js_context_get_primary_image_handle(context: Handle): Handle | undefined;
    heif_image_handle_get_width(image: Handle): number;
    heif_image_handle_get_height(image: Handle): number;
    heif_image_handle_has_alpha_channel(image: Handle): number;
    heif_image_handle_release(image: Handle): void;
    heif_js_decode_image2(
      image: Handle,
      colorspace: unknown,
      chroma: unknown,
    ):
      | {
          readonly code?: unknown;
          readonly message?: string;
          readonly image?: Handle;
          readonly channels?: readonly Plane[];
        }
      | undefined;
    heif_image_release(image: Handle): void;
  }
  const create: () => Libheif;
  export default create;
}
