// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/steps_page.h"

#include "views/cache/step_board.h"
#include "views/cache/step_tape.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QScopedValueRollback>
#include <QSlider>
#include <QSpinBox>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr int kLeap = 10;                 ///< steps of a page key
constexpr int kLeastCells = 1, kMostCells = 256;
} // namespace

StepsPage::StepsPage(QWidget* parent)
    : QWidget(parent), m_stack(new QStackedWidget(this)),
      m_empty(new PlaceholderPanel(QStringLiteral("run"), tr("No trace is open"), tr("Open a trace to watch a small cache request by request."), m_stack)), m_board(new StepBoard(this)),
      m_beside(new StepBoard(this)), m_tape(new StepTape(this))
{
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Step player"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing / 2, 0, 0);
    column->addWidget(m_stack);
    m_empty->setAction(tr("Open a trace…"));
    m_stack->addWidget(m_empty);
    auto* body = new QWidget(m_stack);
    auto* inner = new QVBoxLayout(body);
    inner->setContentsMargins(0, 0, 0, 0);
    buildChoices(inner);
    buildBoards(inner);
    inner->addWidget(m_tape);
    buildTransport(inner);
    m_stack->addWidget(body);
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &StepsPage::openRequested);
    connect(m_tape, &StepTape::stepClicked, this, &StepsPage::goTo);
    connect(&m_clock, &QTimer::timeout, this, [this] {
        if (position() >= m_board->playback().count())
            play(false);
        else
            stepBy(1);
    });
    setNothing(true);
    setSteps(nullptr, nullptr);
    setStale(false);
}

void StepsPage::buildChoices(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    const auto labelled = [&](const QString& text, QWidget* control, const QString& name, const QString& help) {
        auto* label = new QLabel(text, this);
        label->setBuddy(control);
        control->setObjectName(name);
        control->setToolTip(help);
        QString plain = text;
        control->setAccessibleName(plain.remove(QLatin1Char('&')));
        row->addWidget(label);
        row->addWidget(control);
    };
    m_policy = new QComboBox(this);
    m_besidePolicy = new QComboBox(this);
    m_cells = new QSpinBox(this);
    m_cells->setRange(kLeastCells, kMostCells);
    m_cells->setKeyboardTracking(false);
    m_first = new QSpinBox(this);
    m_first->setKeyboardTracking(false);
    m_first->setGroupSeparatorShown(true);
    labelled(tr("Polic&y"), m_policy, QStringLiteral("stepPolicy"), tr("The policy in focus: the same as on the curves' page"));
    labelled(tr("&Beside"), m_besidePolicy, QStringLiteral("stepBeside"), tr("Another policy on the same requests"));
    labelled(tr("&Cells"), m_cells, QStringLiteral("stepCells"), tr("Objects that the cache holds; sizes are left aside here"));
    labelled(tr("&From request"), m_first, QStringLiteral("stepFirst"), tr("Where playing begins; those before have filled the cache"));
    m_stale = inkedLabel(this, QStringLiteral("stepStale"), Ink::Stale);
    row->addWidget(m_stale);
    row->addStretch(1);
    column->addLayout(row);
    connect(m_policy, &QComboBox::activated, this, [this] { emit policyEdited(m_policy->currentData().toString()); });
    connect(m_besidePolicy, &QComboBox::activated, this, [this] { emit besideEdited(m_besidePolicy->currentData().toString()); });
    connect(m_cells, &QSpinBox::valueChanged, this, [this](int cells) {
        if (!m_quiet)
            emit cellsEdited(cells);
    });
    connect(m_first, &QSpinBox::valueChanged, this, [this](int request) {
        if (!m_quiet)
            emit firstEdited(request);
    });
}

void StepsPage::buildBoards(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    const auto add = [&](StepBoard* board, QLabel*& title, QLabel*& outcome, const QString& name) {
        auto* box = new QWidget(this);
        auto* inner = new QVBoxLayout(box);
        inner->setContentsMargins(0, 0, 0, 0);
        board->setObjectName(name);
        auto* head = new QHBoxLayout;
        title = new QLabel(box);
        title->setObjectName(name + QStringLiteral("Title"));
        title->setWordWrap(true);
        QFont bold = font();
        bold.setWeight(QFont::DemiBold);
        title->setFont(bold);
        auto* button = new ExportButton(box);
        button->setObjectName(QStringLiteral("export-") + name);
        button->copyFrom(*board);
        connect(button, &ExportButton::exportRequested, this, [this, board](FigureFormat format) { emit exportRequested(board, format, QStringLiteral("cache-steps")); });
        head->addWidget(title, 1);
        head->addWidget(button);
        inner->addLayout(head);
        inner->addWidget(board, 1);
        outcome = new QLabel(box);
        outcome->setObjectName(name + QStringLiteral("Outcome"));
        outcome->setWordWrap(true);
        outcome->setTextInteractionFlags(Qt::TextSelectableByMouse);
        outcome->setMinimumHeight(fontMetrics().height() * 3); // nothing moves when a reason is long
        outcome->setAlignment(Qt::AlignTop | Qt::AlignLeft);
        inner->addWidget(outcome);
        row->addWidget(box, 1);
        return box;
    };
    add(m_board, m_title, m_outcome, QStringLiteral("stepBoard"));
    m_besideBox = add(m_beside, m_besideTitle, m_besideOutcome, QStringLiteral("stepBoardBeside"));
    column->addLayout(row, 1);
}

QToolButton* StepsPage::transport(QBoxLayout* row, const QString& name, const QString& text, const QString& help)
{
    auto* button = new QToolButton(this);
    button->setObjectName(name);
    button->setText(text);
    button->setToolTip(help);
    button->setAccessibleName(help);
    row->addWidget(button);
    return button;
}

void StepsPage::buildTransport(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    connect(transport(row, QStringLiteral("stepHome"), QStringLiteral("|◀"), tr("To the beginning (Home)")), &QToolButton::clicked, this, [this] { goTo(0); });
    connect(transport(row, QStringLiteral("stepBack"), QStringLiteral("◀"), tr("One request back (Left)")), &QToolButton::clicked, this, [this] { stepBy(-1); });
    m_play = transport(row, QStringLiteral("stepPlay"), QStringLiteral("▶▶"), tr("Play, halt (Space)"));
    m_play->setCheckable(true);
    connect(m_play, &QToolButton::toggled, this, &StepsPage::play);
    connect(transport(row, QStringLiteral("stepForward"), QStringLiteral("▶"), tr("One request forward (Right)")), &QToolButton::clicked, this, [this] { stepBy(1); });
    connect(transport(row, QStringLiteral("stepEnd"), QStringLiteral("▶|"), tr("To the end (End)")), &QToolButton::clicked, this, [this] { goTo(m_board->playback().count()); });
    m_scrub = new QSlider(Qt::Horizontal, this);
    m_scrub->setObjectName(QStringLiteral("stepScrub"));
    m_scrub->setAccessibleName(tr("Request"));
    m_speed = new QSpinBox(this);
    m_speed->setObjectName(QStringLiteral("stepSpeed"));
    m_speed->setAccessibleName(tr("Requests a second"));
    m_speed->setToolTip(tr("Requests a second"));
    m_speed->setRange(1, 60);
    m_speed->setValue(4);
    m_speed->setSuffix(tr(" / s"));
    m_where = new QLabel(this);
    m_where->setObjectName(QStringLiteral("stepWhere"));
    m_where->setFont(Theme::numberFont(font()));
    row->addWidget(m_scrub, 1);
    row->addWidget(m_where);
    row->addWidget(m_speed);
    column->addLayout(row);
    connect(m_scrub, &QSlider::valueChanged, this, [this](int position) {
        if (!m_quiet)
            goTo(position);
    });
    connect(m_speed, &QSpinBox::valueChanged, this, [this](int speed) { m_clock.setInterval(1000 / speed); });
    m_clock.setInterval(1000 / m_speed->value());
}

void StepsPage::setNothing(bool nothing)
{
    m_stack->setCurrentIndex(nothing ? 0 : 1);
    if (nothing)
        play(false);
}

void StepsPage::setPolicies(const std::vector<OfferedPolicy>& policies)
{
    m_policy->clear();
    m_besidePolicy->clear();
    m_besidePolicy->addItem(tr("none"), QString());
    for (const auto& each : policies) {
        m_policy->addItem(each.title, each.id);
        m_besidePolicy->addItem(each.title, each.id);
    }
}

void StepsPage::setChoice(const QString& policy, const QString& beside, int cells, qint64 first, qint64 requests)
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_policy->setCurrentIndex(m_policy->findData(policy));
    m_besidePolicy->setCurrentIndex(std::max(0, m_besidePolicy->findData(beside)));
    m_cells->setValue(cells);
    m_first->setRange(0, static_cast<int>(std::clamp<qint64>(requests - 1, 0, 2'000'000'000)));
    m_first->setValue(static_cast<int>(std::min<qint64>(first, 2'000'000'000)));
}

void StepsPage::setSteps(std::shared_ptr<const report::CacheStepReport> steps, std::shared_ptr<const report::CacheStepReport> beside)
{
    const int before = position();
    m_besideBox->setVisible(beside != nullptr);
    m_board->playback().setReport(std::move(steps));
    m_beside->playback().setReport(std::move(beside));
    {
        const QScopedValueRollback quiet(m_quiet, true);
        m_scrub->setRange(0, m_board->playback().count());
    }
    setPosition(before);
}

void StepsPage::setStale(bool stale) { m_stale->setText(stale ? tr("updating…") : QString()); }

int StepsPage::position() const { return m_board->playback().position(); }

void StepsPage::setPosition(int position)
{
    m_board->playback().moveTo(position);
    m_beside->playback().moveTo(position);
    showPosition();
}

void StepsPage::goTo(int position)
{
    const int before = this->position();
    setPosition(position);
    if (this->position() != before)
        emit positionEdited(this->position());
}

void StepsPage::stepBy(int steps) { goTo(position() + steps); }

void StepsPage::showPosition()
{
    const QScopedValueRollback quiet(m_quiet, true);
    const StepPlayback& now = m_board->playback();
    m_scrub->setValue(now.position());
    m_board->moved();
    m_beside->moved();
    m_tape->show(&now);
    m_title->setText(m_board->title());
    m_besideTitle->setText(m_beside->title());
    const auto hits = [&](const StepPlayback& of) { return of.position() > 0 ? tr(" %1 of %2 hit so far.").arg(of.hits()).arg(of.position()) : QString(); };
    m_outcome->setText(m_board->outcome() + hits(now));
    m_besideOutcome->setText(m_beside->outcome() + hits(m_beside->playback()));
    m_where->setText(now.report() ? tr("request %1, %2 of %3").arg(now.report()->first + static_cast<std::uint64_t>(now.position())).arg(now.position()).arg(now.count()) : QString());
}

void StepsPage::play(bool on)
{
    if (m_play->isChecked() != on)
        m_play->setChecked(on); // comes back here
    on ? m_clock.start() : m_clock.stop();
}

void StepsPage::keyPressEvent(QKeyEvent* event)
{
    switch (event->key()) {
    case Qt::Key_Right: stepBy(1); break;
    case Qt::Key_Left: stepBy(-1); break;
    case Qt::Key_PageDown: stepBy(kLeap); break;
    case Qt::Key_PageUp: stepBy(-kLeap); break;
    case Qt::Key_Home: goTo(0); break;
    case Qt::Key_End: goTo(m_board->playback().count()); break;
    case Qt::Key_Space: play(!isPlaying()); break;
    default: QWidget::keyPressEvent(event);
    }
}

void StepsPage::hideEvent(QHideEvent* event)
{
    play(false);
    QWidget::hideEvent(event);
}

void StepsPage::setCaption(const QString& settings)
{
    m_board->setCaption(settings);
    m_beside->setCaption(settings);
}

} // namespace tamis::views
