// As much of Miro's Web SDK as a panel with elements needs; the board around it is board.js.

(() => {
  const query = new URLSearchParams(parent.location.search);
  const user = query.get('user') ?? '3458764514838398337';
  const team = query.get('team') ?? '3458764514838398336';
  const listeners = { drop: [], 'icon:click': [] };

  async function getIdToken() {
    const answer = await fetch(`/id-token?${new URLSearchParams({ user, team })}`);
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()).token;
  }

  // Dragging begins after some pixels, so that a click stays a click.
  function drag(down) {
    const target = down.target.closest?.('.miro-draggable');
    if (target === null || target === undefined || down.button !== 0) return;
    let begun = false;
    const move = ({ clientX, clientY, pointerId }) => {
      if (!begun && Math.hypot(clientX - down.clientX, clientY - down.clientY) < 5) return;
      if (!begun) target.setPointerCapture(pointerId);
      begun = true;
      parent.board.carry(target, clientX, clientY);
    };
    const up = ({ clientX, clientY }) => {
      removeEventListener('pointermove', move);
      if (!begun) return;
      const swallow = (event) => { event.preventDefault(); event.stopPropagation(); };
      addEventListener('click', swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener('click', swallow, { capture: true }));
      const spot = parent.board.letGo(clientX, clientY);
      if (spot !== null) for (const listener of listeners.drop) listener({ ...spot, target });
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', up, { once: true });
  }
  addEventListener('pointerdown', drag);
  addEventListener('dragstart', (event) => { if (event.target.closest?.('.miro-draggable')) event.preventDefault(); });

  window.miro = {
    board: {
      getIdToken,
      createImage: async (properties) => parent.board.add(properties),
      viewport: { get: async () => parent.board.viewport() },
      ui: {
        on: async (event, listener) => { listeners[event].push(listener); },
        openPanel: async ({ url }) => parent.board.openPanel(url),
      },
    },
  };
  if (parent !== window) parent.board.joined((event) => listeners[event].map((listener) => listener()));
})();
