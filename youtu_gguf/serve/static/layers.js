/** The list of layers. */
export const layersPanel = () => "";
