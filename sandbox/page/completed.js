// Miro itself would show the board again; here that is the demo's page.
setTimeout(() => location.assign(document.getElementById('back').href), 1200);
