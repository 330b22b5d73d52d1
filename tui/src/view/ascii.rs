//! The last step on terminals that only know ASCII: every other cell is folded.

use ratatui::buffer::Buffer;

/// Replaces every cell that is not ASCII.
pub(crate) fn fold(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if !symbol.is_ascii() {
            let folded = symbol.chars().next().map_or(" ", replacement);
            cell.set_symbol(folded);
        }
    }
}

const fn replacement(character: char) -> &'static str {
    match character {
        '─' | '–' | '—' => "-",
        '│' | '▏' | '▎' => "|",
        '█' | '▉' | '▊' | '▋' | '▌' | '▍' | '≠' => "#",
        '▸' | '→' | '»' => ">",
        '←' | '«' => "<",
        '✗' => "X",
        '·' => ".",
        '…' => "~",
        '▲' | '↑' => "^",
        '▼' | '↓' => "v",
        '●' => "*",
        '✓' => "+",
        '↵' => "=",
        '“' | '”' => "\"",
        '’' => "'",
        'à' | 'â' => "a",
        'ç' => "c",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'É' | 'È' | 'Ê' => "E",
        'î' | 'ï' => "i",
        '○' | 'ô' | '°' => "o",
        'ù' | 'û' => "u",
        _ => "?",
    }
}
