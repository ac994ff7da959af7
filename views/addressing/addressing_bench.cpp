// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/addressing/addressing_bench.h"

#include "views/addressing/addressing_page.h"
#include "views/common/elided_label.h"
#include "views/common/fitted_scroll_area.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/theme.h"

#include <QCheckBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSignalBlocker>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
constexpr int kFormWidth = 290; ///< of the words below the parameters

class Form final : public MethodForm {
public:
    explicit Form(QWidget* parent)
        : MethodForm({QStringLiteral("addressingMethod"), QStringLiteral("addressingReference"), QStringLiteral("addressingParameters"), QStringLiteral("addressingTrain"), {}}, parent)
    {
        column()->setContentsMargins(0, 0, Theme::kSpacing, 0);
        addMethod();
        column()->addStretch(1);
    }
};
} // namespace

AddressingBench::AddressingBench(QWidget* parent) : QWidget(parent), m_form(new Form(this)), m_page(new AddressingPage(this))
{
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, Theme::kSpacing, 0, 0);
    row->setSpacing(Theme::kSpacing);
    auto* column = new QVBoxLayout;
    auto* scroll = new FittedScrollArea(this);
    scroll->setObjectName(QStringLiteral("addressingForm"));
    scroll->setWidget(m_form);
    scroll->setSizePolicy(QSizePolicy::Minimum, QSizePolicy::Expanding);
    column->addWidget(scroll, 1);
    addWhatIsMeasured(column);
    row->addLayout(column);
    row->addWidget(m_page, 1);
    connect(m_form, &MethodForm::methodEdited, this, &AddressingBench::methodEdited);
    connect(m_form, &MethodForm::parameterEdited, this, &AddressingBench::parameterEdited);
    connect(m_page, &AddressingPage::exportRequested, this, &AddressingBench::exportRequested);
    setCalibration({});
    setDisabledReason({});
    setRunning(false);
}

/// Below the parameters, and in sight however many there are.
void AddressingBench::addWhatIsMeasured(QVBoxLayout* column)
{
    auto* line = new QHBoxLayout;
    m_file = new ElidedLabel(this, QStringLiteral("addressingCalibration"), Ink::Text);
    auto* choose = new QPushButton(themedIcon(QStringLiteral("open")), tr("&Fitted to…"), this);
    choose->setObjectName(QStringLiteral("chooseAddressingCalibration"));
    choose->setToolTip(tr("Tokens (.npy, .ids) or a text that the table or the memory is fitted to; other ones than are shown"));
    line->addWidget(choose);
    line->addWidget(m_file, 1);
    column->addLayout(line);
    m_readers = new QCheckBox(tr("Time &readers"), this);
    m_readers->setObjectName(QStringLiteral("timeReaders"));
    m_readers->setToolTip(tr("Read a table that is written for it by mapping, pread and io_uring, from memory and from disk"));
    m_readers->setChecked(true);
    m_measure = new QPushButton(themedIcon(QStringLiteral("run")), tr("Measure reads"), this);
    m_measure->setObjectName(QStringLiteral("measureAddressing"));
    m_stop = new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), this);
    m_stop->setObjectName(QStringLiteral("stopAddressing"));
    m_reason = mutedLabel(this, QStringLiteral("addressingReason"));
    m_reason->setWordWrap(true);
    m_reason->setMaximumWidth(kFormWidth);
    for (QWidget* each : std::initializer_list<QWidget*>{m_readers, m_measure, m_stop, m_reason})
        column->addWidget(each);
    connect(choose, &QPushButton::clicked, this, &AddressingBench::calibrationRequested);
    connect(m_readers, &QCheckBox::toggled, this, &AddressingBench::readersToggled);
    connect(m_measure, &QPushButton::clicked, this, &AddressingBench::measureRequested);
    connect(m_stop, &QPushButton::clicked, this, &AddressingBench::stopRequested);
}

void AddressingBench::setMethods(const std::vector<OfferedMethod>& methods) { m_form->setMethods(methods); }

void AddressingBench::setChoice(const QString& method, const Parameters& parameters) { m_form->setChoice(method, parameters); }

void AddressingBench::setCalibration(const QString& file)
{
    m_file->setText(file.isEmpty() ? tr("nothing chosen") : QFileInfo(file).fileName());
    m_file->setToolTip(file);
}

void AddressingBench::setDisabledReason(const QString& reason)
{
    m_measure->setEnabled(reason.isEmpty());
    m_measure->setToolTip(reason.isEmpty() ? tr("Fit to the calibration tokens, then measure on the text of this tab") : tr("Not now: %1").arg(reason));
    m_reason->setText(reason.isEmpty() ? QString() : tr("Not now: %1.").arg(reason));
    m_reason->setVisible(!reason.isEmpty() && m_stop->isHidden());
}

void AddressingBench::setRunning(bool running)
{
    m_measure->setVisible(!running);
    m_stop->setVisible(running);
    m_reason->setVisible(!running && !m_reason->text().isEmpty());
}

void AddressingBench::setTimesReaders(bool timed)
{
    const QSignalBlocker quiet(m_readers);
    m_readers->setChecked(timed);
}

} // namespace tamis::views
