// "Bought with another address?": an address, then the code that was mailed to it.

const $ = (id) => document.getElementById(id);

const words = {
  code_invalid: 'That is not the code, or its time is over. Look again, or send a new one.',
  rate_limited: 'Too many tries. Wait some minutes, then ask for a new code.',
};

// While `run` is under way the form's button turns, and what goes wrong is shown below the form.
async function submit(form, run) {
  const button = form.querySelector('[type="submit"]');
  $('claim-problem').hidden = true;
  button.classList.add('button-loading');
  button.disabled = true;
  try {
    await run();
  } catch (error) {
    $('claim-problem').textContent = words[error.code] ?? error.message;
    $('claim-problem').hidden = false;
  } finally {
    button.classList.remove('button-loading');
    button.disabled = false;
  }
}

// `onConfirmed` is told the address and the answer that it led to. Returns the function that opens the form.
export function claimForm(sync, onConfirmed) {
  let claim = null;

  function show(step) {
    $('claim').hidden = step === null;
    $('claim-ask').hidden = step !== 'ask';
    $('claim-confirm').hidden = step !== 'confirm';
    $('claim-problem').hidden = true;
    $('claim-open').setAttribute('aria-expanded', String(step !== null));
    if (step === 'ask') $('claim-email').focus();
    else if (step === 'confirm') $('claim-code').focus();
    if (step !== null) $('claim').scrollIntoView({ block: 'nearest' });
  }

  function close() {
    show(null);
    $('claim-open').focus();
  }

  $('claim-ask').addEventListener('submit', (event) => {
    event.preventDefault();
    submit(event.target, async () => {
      claim = await sync.claim($('claim-email').value);
      $('claim-to').textContent = claim.email;
      $('claim-code').value = '';
      show('confirm');
    });
  });
  $('claim-confirm').addEventListener('submit', (event) => {
    event.preventDefault();
    submit(event.target, async () => {
      const answer = await claim.confirm($('claim-code').value);
      close();
      onConfirmed(claim.email, answer);
    });
  });
  for (const button of $('claim').querySelectorAll('[data-cancel]')) button.addEventListener('click', close);
  $('claim').addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
  $('claim-open').addEventListener('click', () => ($('claim').hidden ? show('ask') : close()));
  return () => show('ask');
}
