// Runs as long as the board is open, and shows the panel when the app's icon is clicked.
await miro.board.ui.on('icon:click', () => miro.board.ui.openPanel({ url: 'panel.html' }));
