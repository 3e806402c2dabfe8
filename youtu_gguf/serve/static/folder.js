/** Many images. */
export const folderScreen = () => "";
