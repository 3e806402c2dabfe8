/* The parts of lit-html 3.3 that the page uses, for the type checker. */
export interface TemplateResult { readonly _$litType$: 1 | 2 | 3; readonly strings: TemplateStringsArray; readonly values: unknown[] }
export declare const html: (strings: TemplateStringsArray, ...values: unknown[]) => TemplateResult;
export declare const svg: (strings: TemplateStringsArray, ...values: unknown[]) => TemplateResult;
export declare const noChange: unique symbol;
export declare const nothing: unique symbol;
export declare function render(value: unknown, container: HTMLElement | SVGElement | DocumentFragment, options?: object): unknown;
